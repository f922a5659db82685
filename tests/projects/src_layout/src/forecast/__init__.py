from forecast.model import predict

__all__ = ["predict"]
