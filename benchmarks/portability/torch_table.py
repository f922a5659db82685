"""torch on the CPU: element-wise functions, products, layers, attention, random numbers, trainings."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from table import classes, main, operation, several, training, uniform
from torch import nn
from torch.nn import functional

_DOMAINS = {
    "exp": (-20, 20), "expm1": (-3, 3), "log": (1e-3, 50), "log2": (1e-3, 50), "log10": (1e-3, 50),
    "log1p": (-0.9, 9), "sin": (-50, 50), "cos": (-50, 50), "tan": (-50, 50), "asin": (-1, 1),
    "acos": (-1, 1), "atan": (-9, 9), "sinh": (-9, 9), "cosh": (-9, 9), "tanh": (-9, 9), "sqrt": (0, 9),
    "rsqrt": (0.1, 9), "reciprocal": (0.1, 9), "erf": (-4, 4), "erfc": (-4, 9), "erfinv": (-1, 1),
    "sigmoid": (-9, 9), "lgamma": (0.1, 30), "digamma": (0.1, 30),
}  # fmt: skip


def _t(*shape: int, **options: object) -> torch.Tensor:
    return torch.from_numpy(uniform(*shape, **{"dtype": "f4", **options}))  # type: ignore[arg-type]


for _name, (_low, _high) in _DOMAINS.items():
    for _kind in ("f8", "f4"):
        _input = partial(_t, 20011, low=_low, high=_high, dtype=_kind)
        several({f"{_name}_{_kind}": lambda f=getattr(torch, _name), x=_input: f(x())})

_A, _B = partial(_t, 130, 130), partial(_t, 130, 130, seed=2)
_D = partial(_t, 130, 130, dtype="f8")
_IMAGES = partial(_t, 4, 3, 20, 20)
_SERIES = partial(_t, 7, 5, 16)
_SYMMETRIC = lambda: _D() @ _D().T + 130 * torch.eye(130, dtype=torch.float64)  # noqa: E731


def _seeded(function: Callable[[], object]) -> Callable[[], object]:
    def run() -> object:
        torch.manual_seed(0)
        return function()

    return run


def _layer(make: Callable[[], nn.Module], given: Callable[[], torch.Tensor]) -> Callable[[], object]:
    """Output and all gradients of a layer."""

    def run() -> object:
        torch.manual_seed(0)
        layer, x = make(), given().requires_grad_()
        found = layer(x)
        out = found[0] if isinstance(found, tuple) else found
        (out * out).sum().backward()
        return [out, x.grad, *(p.grad for p in layer.parameters())]

    return run


several(
    {
        "mm_f4": lambda: _A() @ _B(),
        "mm_f8": lambda: _D() @ _D().T,
        "bmm": lambda: torch.bmm(_t(6, 20, 30), _t(6, 30, 10)),
        "addmm": lambda: torch.addmm(_A(), _B(), _A()),
        "mv": lambda: _A() @ _B()[0],
        "einsum": lambda: torch.einsum("bij,bjk->ik", _t(3, 9, 8), _t(3, 8, 7)),
        "mm_bf16": lambda: _A().bfloat16() @ _B().bfloat16(),
        "mm_f2": lambda: _A().half() @ _B().half(),
        "sum": lambda: _t(100003).sum(),
        "mean": lambda: _A().mean(0),
        "std": lambda: _A().std(1),
        "cumsum": lambda: _t(10007).cumsum(0),
        "logsumexp": lambda: _A().logsumexp(1),
        "softmax": lambda: _A().softmax(1),
        "log_softmax": lambda: _A().log_softmax(1),
        "norm": lambda: _A().norm(),
        "pow": lambda: _A().abs() ** 1.7,
        "atan2": lambda: torch.atan2(_A(), _B()),
        "gelu": lambda: functional.gelu(_A() * 5),
        "gelu_tanh": lambda: functional.gelu(_A() * 5, approximate="tanh"),
        "silu": lambda: functional.silu(_A() * 5),
        "softplus": lambda: functional.softplus(_A() * 5),
        "svd": lambda: list(torch.linalg.svd(_D())),
        "qr": lambda: list(torch.linalg.qr(_D())),
        "eigh": lambda: list(torch.linalg.eigh(_SYMMETRIC())),
        "cholesky": lambda: torch.linalg.cholesky(_SYMMETRIC()),
        "solve": lambda: torch.linalg.solve(_SYMMETRIC(), _D()),
        "matrix_exp": lambda: torch.matrix_exp(_D() / 20),
        "fft": lambda: torch.fft.rfft(_t(4096)).abs(),
        "fft_odd": lambda: torch.view_as_real(torch.fft.fft(_t(1009))),
        "sparse_mm": lambda: torch.sparse.mm((_A() * (_A() > 0.8)).to_sparse(), _B()),
        "sparse_csr_mm": lambda: (_A() * (_A() > 0.8)).to_sparse_csr() @ _B(),
        "randn": _seeded(lambda: torch.randn(10007)),
        "rand": _seeded(lambda: torch.rand(10007)),
        "exponential": _seeded(lambda: torch.empty(10007).exponential_()),
        "multinomial": _seeded(lambda: torch.multinomial(_A().abs(), 5)),
        "dropout": _seeded(lambda: functional.dropout(_A(), 0.3)),
        "kaiming": _seeded(lambda: nn.init.kaiming_normal_(torch.empty(99, 99))),
        "interpolate": lambda: functional.interpolate(_IMAGES(), scale_factor=1.7, mode="bicubic"),
        "embedding_bag": lambda: functional.embedding_bag(torch.arange(60).reshape(6, 10), _A(), mode="mean"),
        "cdist": lambda: torch.cdist(_A(), _B()),
        "linear": _layer(lambda: nn.Linear(130, 40), _A),
        "conv1d": _layer(lambda: nn.Conv1d(5, 8, 3, padding=1), _SERIES),
        "conv2d": _layer(lambda: nn.Conv2d(3, 8, 3, padding=1), _IMAGES),
        "conv2d_strided": _layer(lambda: nn.Conv2d(3, 16, 5, stride=2), _IMAGES),
        "conv2d_grouped": _layer(lambda: nn.Conv2d(3, 6, 3, groups=3), _IMAGES),
        "conv3d": _layer(lambda: nn.Conv3d(2, 4, 3), partial(_t, 2, 2, 8, 8, 8)),
        "conv_transposed": _layer(lambda: nn.ConvTranspose2d(3, 8, 3, stride=2), _IMAGES),
        "batch_norm": _layer(lambda: nn.BatchNorm2d(3), _IMAGES),
        "layer_norm": _layer(lambda: nn.LayerNorm(130), _A),
        "group_norm": _layer(lambda: nn.GroupNorm(1, 3), _IMAGES),
        "max_pool": _layer(lambda: nn.MaxPool2d(3), _IMAGES),
        "average_pool": _layer(lambda: nn.AvgPool2d(3), _IMAGES),
        "rnn": _layer(lambda: nn.RNN(16, 12), _SERIES),
        "lstm": _layer(lambda: nn.LSTM(16, 12), _SERIES),
        "lstm_bidirectional": _layer(lambda: nn.LSTM(16, 12, 2, bidirectional=True), _SERIES),
        "gru": _layer(lambda: nn.GRU(16, 12), _SERIES),
        "transformer_layer": _layer(lambda: nn.TransformerEncoderLayer(16, 4, 32, dropout=0.1), _SERIES),
        "attention": lambda: functional.scaled_dot_product_attention(
            _t(2, 4, 30, 16), _t(2, 4, 30, 16, seed=2), _t(2, 4, 30, 16, seed=3)
        ),
        "cross_entropy": lambda: functional.cross_entropy(_A(), torch.arange(130)),
        "ctc_loss": lambda: functional.ctc_loss(
            _t(20, 2, 9).log_softmax(2), torch.tensor([[1, 2, 3], [4, 5, 6]]), (20, 20), (3, 3)
        ),
    }
)


@operation
def quantized_linear() -> object:
    """Dynamic int8 quantization (FBGEMM)."""
    weight = torch.quantize_per_tensor(_A(), 0.02, 0, torch.qint8)
    packed = torch.ops.quantized.linear_prepack(weight, None)
    return torch.ops.quantized.linear_dynamic(_B(), packed, False)


def _train(
    network: Callable[[], nn.Module],
    *,
    optimizer: Callable[..., torch.optim.Optimizer] = torch.optim.Adam,
    shape: tuple[int, ...] = (12,),
    steps: int = 20,
    rate: float = 0.01,
) -> list[torch.Tensor]:
    torch.manual_seed(0)
    model = network()
    steps_of = optimizer(model.parameters(), lr=rate)
    x = _t(96, *shape)
    y = torch.from_numpy(np.digitize(x.reshape(96, -1)[:, :2].sum(1).numpy(), [-0.3, 0.3]))
    losses = []
    for _ in range(steps):
        order = torch.randperm(96)[:48]
        loss = functional.cross_entropy(model(x[order]), y[order])
        steps_of.zero_grad()
        loss.backward()
        steps_of.step()
        losses.append(loss.detach())
    return [torch.stack(losses), *model.parameters()]


def _perceptron() -> nn.Module:
    return nn.Sequential(nn.Linear(12, 64), nn.ReLU(), nn.Dropout(0.2), nn.Linear(64, 3))


class _Recurrent(nn.Module):
    def __init__(self, kind: type[nn.Module]) -> None:
        super().__init__()
        self.inner, self.out = kind(6, 24, batch_first=True), nn.Linear(24, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.out(self.inner(x)[0][:, -1])  # type: ignore[no-any-return]


class _Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        layer = nn.TransformerEncoderLayer(16, 4, 32, dropout=0.1, batch_first=True)
        self.inner, self.out = nn.TransformerEncoder(layer, 2), nn.Linear(16, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.out(self.inner(x).mean(1))  # type: ignore[no-any-return]


def _convolutional() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(8, 16, 3), nn.ReLU(), nn.Flatten(), nn.Linear(400, 3),
    )  # fmt: skip


@training
def perceptron_adam() -> object:
    return _train(_perceptron)


@training
def perceptron_sgd_momentum() -> object:
    return _train(_perceptron, optimizer=partial(torch.optim.SGD, momentum=0.9))


@training
def perceptron_adamw() -> object:
    return _train(_perceptron, optimizer=torch.optim.AdamW)


@training
def perceptron_rmsprop() -> object:
    return _train(_perceptron, optimizer=torch.optim.RMSprop)


@training
def convolutional_network() -> object:
    return _train(_convolutional, shape=(1, 14, 14), steps=10)


@training
def lstm_network() -> object:
    return _train(lambda: _Recurrent(nn.LSTM), shape=(9, 6), steps=10)


@training
def gru_network() -> object:
    return _train(lambda: _Recurrent(nn.GRU), shape=(9, 6), steps=10)


@training
def transformer_network() -> object:
    return _train(_Attention, shape=(9, 16), steps=6)


@training
def autoencoder_in_double_precision() -> object:
    torch.manual_seed(0)
    x = torch.from_numpy(classes()[0])
    model = nn.Sequential(nn.Linear(12, 6), nn.Tanh(), nn.Linear(6, 12)).double()
    optimizer = torch.optim.LBFGS(model.parameters(), max_iter=15)

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        loss = functional.mse_loss(model(x), x)
        loss.backward()
        return loss

    optimizer.step(closure)  # type: ignore[no-untyped-call]
    return list(model.parameters())


if __name__ == "__main__":
    main("torch", {"torch": torch.__version__, "numpy": np.__version__})
