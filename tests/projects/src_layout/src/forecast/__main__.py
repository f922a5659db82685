from pathlib import Path

from forecast import predict

Path("results").mkdir(exist_ok=True)
Path("results", "forecast.csv").write_text("".join(f"{x},{predict(x)}\n" for x in range(5)))
