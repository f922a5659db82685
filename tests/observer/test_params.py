"""The hyperparameters that a run really used, seen without changing the run.

argparse and click are watched for real, scikit-learn too (from the index). The other libraries are stand-ins:
small modules with the classes and the flow of calls that the documented APIs and their sources have.
"""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import venv

import pytest

from envfreeze.observer import inject
from envfreeze.observer.parameters import LONGEST, MOST, is_secret
from envfreeze.observer.watch import Watched

Found = dict[tuple[str, str], tuple[str, str, str]]


def found(watched: Watched) -> Found:
    """Value, source and origin by owner and name."""
    assert watched.observation.exit_status == 0
    return {
        (item.owner, item.name): (item.value, item.source, item.origin)
        for item in watched.observation.parameters
    }


@pytest.fixture
def packages(tmp_path, monkeypatch):
    """Makes stand-ins that scripts can import: names with ``__`` for dots."""
    root = tmp_path / "site-packages"
    monkeypatch.setenv("PYTHONPATH", str(root))

    def make(**modules: str) -> None:
        for name, text in modules.items():
            path = root / (name.replace("__", "/") + ".py")
            path.parent.mkdir(parents=True, exist_ok=True)
            for parent in path.relative_to(root).parents[:-1]:
                if not (root / parent / "__init__.py").exists():
                    (root / parent / "__init__.py").write_text("__version__ = '1.2.3'\n")
            path.write_text(textwrap.dedent(text))

    return make


ARGPARSE = """
import argparse
parser = argparse.ArgumentParser()
parser.add_argument("--epochs", type=int, default=3)
parser.add_argument("--lr", type=float, default=0.1)
parser.add_argument("--unused", type=int, default=7)
group = parser.add_argument_group("more")
group.add_argument("-v", "--verbose", action="store_true")
parser.add_argument("--api-key")
parser.add_argument("--max-tokens", type=int)
parser.add_argument("--pad-token", default="<pad>")
parser.add_argument("data", nargs="?", default="x.csv")
commands = parser.add_subparsers(dest="command")
train = commands.add_parser("train", prog="main.py train")
train.add_argument("--depth", type=int, default=5)
train.set_defaults(mode="fast")
print(parser.parse_args())
"""
ARGUMENTS = ("--epochs=3", "--lr", "0.5", "-v", "--api-k", "hunter2", "--max-tokens", "9", "a", "train")


def test_argparse(watching):
    watched = watching.python(ARGPARSE, *ARGUMENTS)
    values = found(watched)
    assert values["argparse main.py", "epochs"] == ("3", "given", "--epochs")
    assert values["argparse main.py", "lr"] == ("0.5", "given", "--lr")
    assert values["argparse main.py", "verbose"] == ("true", "given", "-v")
    assert values["argparse main.py", "unused"] == ("7", "default", "default in main.py:6")
    assert values["argparse main.py", "data"][:2] == ('"a"', "given")
    assert values["argparse main.py", "max_tokens"] == ("9", "given", "--max-tokens")
    assert values["argparse main.py", "pad_token"][0] == '"<pad>"'
    assert values["argparse main.py train", "depth"][:2] == ("5", "default")
    assert values["argparse main.py train", "mode"] == ('"fast"', "default", "set_defaults")
    assert values["argparse main.py", "api_key"][:2] == ("(not kept: looks secret)", "given")
    assert watched.gaps == ()


@pytest.mark.parametrize("version", ["3.8", "3.9", "3.10", "3.12", "3.13", "3.14"])
def test_argparse_of_every_python(watching, interpreter, version):
    watched = watching(interpreter(version), watching.script(ARGPARSE), *ARGUMENTS)
    values = found(watched)
    assert values["argparse main.py", "lr"] == ("0.5", "given", "--lr")
    assert values["argparse main.py", "unused"] == ("7", "default", "default in main.py:6")
    assert values["argparse main.py train", "depth"][:2] == ("5", "default")
    assert watched.gaps == ()


def test_a_program_of_modules_and_its_options(watching, project):
    (project / "pkg").mkdir()
    (project / "pkg/__init__.py").write_text("")
    script = (
        "import argparse\np = argparse.ArgumentParser()\np.add_argument('--n', default=1)\np.parse_args()\n"
    )
    (project / "pkg/train.py").write_text(script)
    values = found(watching(sys.executable, "-m", "pkg.train", "--n", "2"))
    assert values["argparse train.py", "n"] == ('"2"', "given", "--n")


def test_click(watching):
    text = """
    import click

    @click.group()
    @click.option("--seed", default=1)
    def cli(seed):
        pass

    @cli.command()
    @click.option("--lr", default=0.1, envvar="RATE")
    @click.option("-n", "--rounds", default=3)
    @click.option("--depth", default=4)
    @click.option("--pin", hide_input=True)
    @click.argument("data")
    def train(**all):
        print(all)

    cli()
    """
    environment = {**os.environ, "RATE": "0.7"}
    watched = watching.python(
        text, "--seed", "4", "train", "-n", "7", "--pin", "1234", "d.csv", environment=environment
    )
    values = found(watched)
    assert values["click main.py", "seed"] == ("4", "given", "--seed")
    assert values["click main.py train", "lr"] == ("0.7", "environment", "RATE")
    assert values["click main.py train", "rounds"] == ("7", "given", "--rounds")
    assert values["click main.py train", "depth"] == ("4", "default", "default in main.py:9")
    assert values["click main.py train", "data"][:2] == ('"d.csv"', "given")
    assert "1234" not in values["click main.py train", "pin"][0]


def test_variables_that_the_project_reads(watching):
    environment = {**os.environ, "SOME_SECRET": "hunter2", "OMP_NUM_THREADS": "2"}
    watched = watching.python(
        """
        import os, locale, tempfile
        os.environ.get("SOME_SECRET"); os.environ["OMP_NUM_THREADS"]; os.getenv("ABSENT", "1")
        os.environ["WRITTEN"] = "1"
        tempfile.gettempdir()
        """,
        environment=environment,
    )
    values = found(watched)
    assert values["environment", "SOME_SECRET"] == (
        "(set, value not kept)",
        "environment",
        "read in main.py:3",
    )
    assert values["environment", "OMP_NUM_THREADS"][:2] == ('"2"', "environment")
    assert values["environment", "ABSENT"][:2] == ("(not set)", "default")
    assert {owner_and_name[1] for owner_and_name in values} == {"SOME_SECRET", "OMP_NUM_THREADS", "ABSENT"}


def test_configuration_files(watching, project):
    (project / "config.yaml").write_text(
        "model: {lr: 0.1, sizes: [1, 2]}\nurl: postgres://me:pw@host/x\npassword: abc\n"
    )
    (project / "more.toml").write_text("seed = 3\n[opt]\nname = 'adam'\n")
    (project / "old.ini").write_text("[train]\nepochs = 5\n")
    (project / "data.json").write_text("[1, 2, 3]")
    (project / "large.json").write_text(str({f'"k{n}"': 1 for n in range(300)}).replace("'", ""))
    (project / "unread.yaml").write_text("a: 1\n")
    (project / "broken.yaml").write_text("{a: [")
    watched = watching.python(
        """
        for name in ("config.yaml", "more.toml", "old.ini", "data.json", "large.json", "broken.yaml"):
            open(name).read()
        open("metrics.json", "w").write('{"accuracy": 1}')
        open("metrics.json").read()
        """
    )
    values = found(watched)
    assert values["config.yaml", "model.lr"] == ("0.1", "file", "config.yaml")
    assert values["config.yaml", "model.sizes"][0] == "[1, 2]"
    assert values["config.yaml", "password"][0] == "(not kept: looks secret)"
    assert values["config.yaml", "url"][0] == '"postgres://host/x"'
    assert values["more.toml", "opt.name"][0] == '"adam"'
    assert values["old.ini", "train.epochs"][0] == '"5"'
    assert {owner for owner, _ in values} == {"config.yaml", "more.toml", "old.ini"}


def test_hydra(watching, packages, tmp_path):
    """A stand-in: the configuration in HydraConfig.set_config, and omegaconf's container of it."""
    packages(
        omegaconf__omegaconf="""
        class OmegaConf:
            @staticmethod
            def to_container(content, resolve):
                assert resolve is False
                return dict(content)
        """,
        hydra__core__hydra_config="""
        class HydraConfig:
            def set_config(self, cfg):
                self.cfg = cfg
        """,
    )
    (tmp_path / "site-packages/omegaconf/__init__.py").write_text(
        "from omegaconf.omegaconf import OmegaConf\n"
    )
    watched = watching.python(
        """
        import omegaconf
        from hydra.core.hydra_config import HydraConfig
        own = {"job": {"config_name": "config"}, "overrides": {"task": ["model.lr=5", "+new=1"]}}
        config = {"hydra": own, "model": {"lr": 5, "depth": 2}, "new": 1, "name": "${model.lr}"}
        HydraConfig().set_config(config)
        assert "hydra" in config
        """
    )
    values = found(watched)
    assert values["hydra", "model.lr"] == ("5", "given", "model.lr")
    assert values["hydra", "model.depth"] == ("2", "file", "config")
    assert values["hydra", "new"] == ("1", "given", "new")
    assert values["hydra", "name"][0] == '"${model.lr}"'


def test_absl(watching, packages):
    """A stand-in for absl.flags: FlagValues ends its parsing with mark_as_parsed."""
    packages(
        absl__flags___flagvalues="""
        class Flag:
            def __init__(self, name, value, present):
                self.name, self.value, self.present = name, value, present
                self.using_default_value = not present
        class FlagValues:
            def _flags(self):
                return {"lr": Flag("lr", 0.3, 1), "epochs": Flag("epochs", 2, 0), "v": Flag("v", 0, 0)}
            def find_module_defining_flag(self, name, default=None):
                return "absl.logging" if name == "v" else "train.py"
            def __call__(self, argv):
                self.mark_as_parsed()
            def mark_as_parsed(self):
                pass
        """,
    )
    values = found(watching.python("from absl.flags._flagvalues import FlagValues\nFlagValues()([])\n"))
    assert values == {
        ("absl", "epochs"): ("2", "default", "default in train.py"),
        ("absl", "lr"): ("0.3", "given", "--lr"),
    }


def test_fire(watching, packages):
    """A stand-in for fire.core: _MakeParseFn binds words to a function's arguments."""
    packages(
        fire__core="""
        def _MakeParseFn(fn, metadata):
            def parse(args):
                return (["x.csv", 3.0, 3], {"deep": True, "extra": 1}), args, [], False
            return parse
        def Fire(fn, words):
            (positional, named), *_ = _MakeParseFn(fn, None)(words)
            fn(*positional, **named)
        """,
    )
    watched = watching.python(
        """
        from fire.core import Fire

        def train(data, lr=0.1, epochs=3, *, deep=False, **more):
            print(data)

        Fire(train, ["x.csv", "--lr", "3", "--deep", "--extra=1"])
        """
    )
    values = found(watched)
    assert values["fire train", "data"] == ('"x.csv"', "given", "argument")
    assert values["fire train", "lr"] == ("3.0", "given", "--lr")
    assert values["fire train", "epochs"] == ("3", "default", "default in main.py:4")
    assert values["fire train", "deep"] == ("true", "given", "--deep")
    assert values["fire train", "extra"][0] == "1"


SKLEARN_BASE = """
class BaseEstimator:
    def _validate_params(self):
        pass
"""


def test_estimators(watching, packages):
    """A stand-in for sklearn: fit begins with _validate_params of BaseEstimator."""
    packages(
        sklearn__base=SKLEARN_BASE,
        sklearn__linear_model___logistic="""
        from sklearn.base import BaseEstimator
        class LogisticRegression(BaseEstimator):
            def __init__(self, penalty="l2", *, C=1.0, max_iter=100, inner=None):
                self.penalty, self.C, self.max_iter, self.inner = penalty, C, max_iter, inner
            def fit(self, X):
                self._validate_params()
                self.coef_ = [1]
                return self
        """,
    )
    watched = watching.python(
        """
        import pickle, sys
        from sklearn.linear_model._logistic import LogisticRegression
        def main():
            model = LogisticRegression(C=2, inner=LogisticRegression())
            model.fit([])
            assert pickle.loads(pickle.dumps(model)).C == 2 and "C" in vars(model) and len(vars(model)) == 5
        main()
        assert not any("nvfreeze" in repr(finder) or "_Finder" in repr(finder) for finder in sys.meta_path)
        """
    )
    values = found(watched)
    owner = "sklearn.linear_model.LogisticRegression"
    assert values[owner, "C"] == ("2", "given", "main.py:6")
    assert values[owner, "max_iter"] == ("100", "default", "scikit-learn 1.2.3")
    assert values[owner, "inner"][0] == owner
    assert (owner, "coef_") not in values


def test_a_search_has_several_values_and_an_end(watching, packages):
    packages(sklearn__base=SKLEARN_BASE)
    watched = watching.python(
        """
        from sklearn.base import BaseEstimator
        class Model(BaseEstimator):
            def __init__(self, depth=1): self.depth = depth
            def fit(self): self._validate_params()
        for depth in range(100): Model(depth).fit()
        """
    )
    values = [item.value for item in watched.observation.parameters if item.name == "depth"]
    assert 5 <= len(values) <= 30
    assert {"0", "2"} <= set(values)


TORCH = {
    "torch__nn__modules__module": """
    hooks = []
    def register_module_module_registration_hook(hook): hooks.append(hook)
    def register_module_parameter_registration_hook(hook): hooks.append(hook)
    class Parameter:
        requires_grad = True
        def __init__(self, *shape): self.shape = shape
        def numel(self): return self.shape[0] * self.shape[1]
    class Module:
        def __init__(self, **parts):
            self._parameters, self._modules = {}, {}
            for name, part in parts.items():
                [hook(self, name, part) for hook in hooks]
                (self._parameters if isinstance(part, Parameter) else self._modules)[name] = part
        def parameters(self):
            yield from self._parameters.values()
            for child in self._modules.values(): yield from child.parameters()
    """,
    "torch__optim__optimizer": """
    class Optimizer:
        def __init__(self, params, defaults):
            self.defaults, self.param_groups = defaults, []
            params = list(params)
            for group in params if isinstance(params[0], dict) else [{"params": params}]:
                self.add_param_group(group)
        def add_param_group(self, param_group):
            group = {**self.defaults, **param_group}
            self.param_groups.append({**group, "params": list(group["params"])})
    class Adam(Optimizer):
        def __init__(self, params, lr=1e-3, betas=(0.9, 0.999)):
            super().__init__(params, dict(lr=lr, betas=betas))
    """,
    "torch__optim__lr_scheduler": """
    class LRScheduler:
        def __init__(self, optimizer): self._initial_step()
        def _initial_step(self): pass
    class StepLR(LRScheduler):
        def __init__(self, optimizer, step_size, gamma=0.1):
            self.step_size, self.gamma = step_size, gamma
            super().__init__(optimizer)
    class ReduceLROnPlateau(LRScheduler):
        def __init__(self, optimizer, patience=10):
            self.patience = patience
            self._reset()
        def _reset(self): pass
    """,
    "torch__utils__data__dataloader": """
    class RandomSampler: pass
    class DataLoader:
        def __init__(self, dataset, batch_size=1, shuffle=False, num_workers=0):
            self.dataset, self.batch_size, self.num_workers = dataset, batch_size, num_workers
            self.sampler = RandomSampler()
        def __iter__(self): return iter([1])
    """,
}


def test_training_with_torch(watching, packages):
    """Stand-ins for torch's modules, in the flow of its optimizers, schedulers, loaders and registrations."""
    packages(**TORCH)
    watched = watching.python(
        """
        from torch.nn.modules.module import Module, Parameter
        from torch.optim.optimizer import Adam
        from torch.optim.lr_scheduler import StepLR, ReduceLROnPlateau
        from torch.utils.data.dataloader import DataLoader
        class Net(Module): pass
        net = Net(body=Module(weight=Parameter(4, 8)), head=Module(weight=Parameter(8, 2)))
        other = Net(weight=Parameter(100, 100))
        groups = [{"params": net._modules["body"].parameters()},
                  {"params": net._modules["head"].parameters(), "lr": 0.5}]
        adam = Adam(groups, lr=0.1)
        StepLR(adam, step_size=3); ReduceLROnPlateau(adam)
        for batch in DataLoader([], batch_size=4, shuffle=True): pass
        """
    )
    values = found(watched)
    assert values["torch.optim.optimizer.Adam", "lr"] == ("0.1", "given", "main.py:11")
    assert values["torch.optim.optimizer.Adam", "betas"] == ("[0.9, 0.999]", "default", "torch 1.2.3")
    assert values["torch.optim.optimizer.Adam", "lr (group 1)"][0] == "0.5"
    assert values["torch.optim.lr_scheduler.StepLR", "step_size"][:2] == ("3", "given")
    assert values["torch.optim.lr_scheduler.StepLR", "gamma"][:2] == ("0.1", "default")
    assert values["torch.optim.lr_scheduler.ReduceLROnPlateau", "patience"][:2] == ("10", "default")
    assert values["torch.utils.data.dataloader.DataLoader", "batch_size"][:2] == ("4", "given")
    assert values["torch.utils.data.dataloader.DataLoader", "shuffle"][:2] == ("true", "given")
    assert values["model Net", "parameters"][0] == "48"
    assert values["model Net", "shapes"][0] == '{"body.weight": [4, 8], "head.weight": [8, 2]}'


def test_boosters(watching, packages):
    """Stand-ins for lightgbm and xgboost: Booster.update once a round, and fit of their estimators."""
    packages(
        lightgbm__basic="""
        class Booster:
            def __init__(self, params): self.params = params
            def update(self): pass
            def model_to_string(self):
                lines = ("tree", "", "parameters:", "[learning_rate: 0.2]", "[num_leaves: 31]")
                return "\\n".join((*lines, "end of parameters", ""))
        """,
        lightgbm__sklearn="""
        from lightgbm.basic import Booster
        class LGBMModel:
            def __init__(self, num_leaves=31, n_estimators=100, **kwargs):
                self.num_leaves, self.n_estimators, self._other_params = num_leaves, n_estimators, kwargs
            def fit(self): Booster({"from_estimator": 1}).update()
        class LGBMClassifier(LGBMModel):
            def fit(self): super().fit()
        """,
        xgboost__core="""
        import json
        class Booster:
            def __init__(self, params): self.set_param(params)
            def set_param(self, params, value=None): pass
            def update(self, data, iteration): pass
            def save_config(self):
                train = {"eta": "0.3", "max_depth": "3", "grow_policy": "depthwise"}
                return json.dumps({"learner": {"gradient_booster": {"tree_train_param": train}}})
        """,
        xgboost__sklearn="""
        class XGBModel:
            def __init__(self, max_depth=None, **kwargs): self.max_depth, self.kwargs = max_depth, kwargs
            def fit(self): pass
        class XGBClassifier(XGBModel):
            def __init__(self, *, objective="binary:logistic", **kwargs):
                super().__init__(**kwargs); self.objective = objective
            def fit(self): pass
        """,
    )
    watched = watching.python(
        """
        from lightgbm.sklearn import LGBMClassifier, Booster as LightBooster
        from xgboost.sklearn import XGBClassifier
        from xgboost.core import Booster
        light = LightBooster({"learning_rate": 0.2})
        light.update(); light.update()
        LGBMClassifier(n_estimators=3, min_split_gain=0.1).fit()
        booster = Booster({"max_depth": 3})
        for i in range(3): booster.update(None, i)
        XGBClassifier(max_depth=2).fit()
        """
    )
    values = found(watched)
    assert values["lightgbm.Booster", "learning_rate"] == ("0.2", "given", "main.py:6")
    assert values["lightgbm.Booster", "num_leaves"] == ("31", "default", "lightgbm 1.2.3")
    assert ("lightgbm.Booster", "from_estimator") not in values
    assert values["lightgbm.LGBMClassifier", "n_estimators"][:2] == ("3", "given")
    assert values["lightgbm.LGBMClassifier", "num_leaves"][:2] == ("31", "default")
    assert values["lightgbm.LGBMClassifier", "min_split_gain"][:2] == ("0.1", "given")
    assert values["xgboost.Booster", "max_depth"] == ("3", "given", "main.py:8")
    assert values["xgboost.Booster", "eta"] == ("0.3", "default", "xgboost 1.2.3")
    assert values["xgboost.XGBClassifier", "max_depth"][:2] == ("2", "given")
    assert values["xgboost.XGBClassifier", "objective"][:2] == ('"binary:logistic"', "default")


@pytest.mark.parametrize("module", ["keras__src__trainers__trainer", "keras__engine__training"])
def test_keras(watching, packages, module):
    """A stand-in for Keras 3 and 2: fit asks first whether the model is compiled."""
    kind, asks = (
        ("Trainer", "_assert_compile_called")
        if "trainer" in module
        else ("Model", "_assert_compile_was_called")
    )
    packages(
        **{
            module: f"""
            class {kind}:
                built = True
                def compile(self, optimizer, loss): self.optimizer, self.loss = optimizer, loss
                def {asks}(self, *_): pass
                def count_params(self): return 42
                def fit(self, x=None, batch_size=None, epochs=1, shuffle=True):
                    self.{asks}("fit")
            """
        },
    )
    watched = watching.python(
        f"""
        from {module.replace("__", ".")} import {kind}
        class Adam:
            def __init__(self, learning_rate=0.001): self.learning_rate = learning_rate
            def get_config(self): return {{"learning_rate": self.learning_rate}}
        model = {kind}()
        model.compile(Adam(0.5), "mse")
        model.fit([1], epochs=3)
        """
    )
    values = {name: value for (_, name), value in found(watched).items()}
    assert values["epochs"] == ("3", "given", "main.py:8")
    assert values["shuffle"] == ("true", "default", "keras 1.2.3")
    assert values["learning_rate"][:2] == ("0.5", "given")
    assert values["loss"][0] == '"mse"'
    assert values["parameters"][0] == "42"
    assert "x" not in values


def test_tracebacks_stay_as_they_were(watching, packages):
    """Failing imports, fits and lookups show none of our frames."""
    packages(
        sklearn__base=SKLEARN_BASE.replace("pass", "raise ValueError('bad')"),
        lightgbm__basic="import not_there\n",
    )
    script = watching.script(
        """
        import os, sys, traceback
        from sklearn.base import BaseEstimator
        def imports(): import lightgbm.basic
        for attempt in (lambda: os.environ["ABSENT"], BaseEstimator()._validate_params, imports):
            try:
                attempt()
            except Exception:
                traceback.print_exc(file=sys.stdout)
        """
    )
    bare = subprocess.run([sys.executable, script], capture_output=True, check=True)
    watched = watching(sys.executable, script)
    assert watching.stdout(watched) == bare.stdout
    assert bare.stdout.count(b"Traceback") == 3


@pytest.mark.parametrize(
    ("file", "old"),
    [
        ("envfreeze_params.py", "        names = [name[len"),
        ("envfreeze_params.py", "        library = module.partition"),
        ("envfreeze_params.py", "        fresh = []"),
        ("envfreeze_params_argparse.py", "        known: dict"),
        ("envfreeze_params_argparse.py", "        actions = container._actions"),
        ("envfreeze_params_os.py", "        if frame is None or frame.f_code"),
        ("envfreeze_params_os.py", "    environment = module.environ"),
        ("envfreeze_values.py", "    parts: list[str] = []"),
    ],
)
def test_failures_are_swallowed_counted_and_said(watching, tmp_path, monkeypatch, file, old):
    script = watching.script(ARGPARSE + "\nimport os; os.getenv('HOME')\n")
    bare = subprocess.run([sys.executable, script, *ARGUMENTS], capture_output=True, check=True)
    agent = tmp_path / "agent"
    agent.mkdir()
    for path in inject.AGENT.glob("*.py"):
        (agent / path.name).write_text(path.read_text())
    text = (agent / file).read_text()
    assert text.count(old) == 1
    indent = " " * (len(old) - len(old.lstrip()))
    (agent / file).write_text(text.replace(old, f"{indent}raise ValueError('broken')\n{old}"))
    monkeypatch.setattr(inject, "AGENT", agent)
    watched = watching(sys.executable, script, *ARGUMENTS)
    assert watching.stdout(watched) == bare.stdout
    assert watched.observation.stderr.size == 0
    assert watched.observation.exit_status == 0
    assert any("broken" in gap.why for gap in watched.gaps)


def test_signal_handlers_raise_through_the_hooks(watching, packages):
    """A time limit that strikes while a parameter is looked at still ends what it limits."""
    packages(sklearn__base=SKLEARN_BASE)
    watched = watching.python(
        """
        import signal
        from sklearn.base import BaseEstimator
        class Limit(Exception): pass
        def strike(number, frame): raise Limit
        class Model(BaseEstimator):
            def __init__(self, n=0): self.n = n
        signal.signal(signal.SIGALRM, strike)
        struck = 0
        for i in range(100):
            try:
                signal.setitimer(signal.ITIMER_REAL, 0.001)
                while True: Model(i)._validate_params()
            except Limit:
                struck += 1
        print(struck)
        """
    )
    assert watching.stdout(watched) == b"100\n"


def test_values_are_bounded_and_no_code_of_the_program_runs(watching):
    watched = watching.python(
        r"""
        import argparse, enum, pathlib
        class Loud:
            def __repr__(self): print("called"); return "x"
            __str__ = __repr__
        class Colour(enum.Enum):
            RED = 1
        parser = argparse.ArgumentParser()
        parser.set_defaults(
            loud=Loud(), red=Colour.RED, path=pathlib.Path("a/b"), long="x" * 10**6, big=10**5000,
            text='é"\n\x00\udc80', nan=float("nan"), set={2, 1}, function=print, deep=[[[[[[[[[[1]]]]]]]]]],
            many=list(range(10**5)),
        )
        parser.parse_args()
        """
    )
    assert watching.stdout(watched) == b""
    values = {item.name: item.value for item in watched.observation.parameters}
    assert values["loud"] == "Loud"
    assert values["red"] == "Colour.RED"
    assert values["path"] == '"a/b"'
    assert values["nan"] == "NaN"
    assert values["set"] == "[1, 2]"
    assert values["function"] == "print"
    assert values["text"].startswith('"é\\"\\n\\u0000')
    assert all(len(value) <= LONGEST for value in values.values())
    assert values["long"].endswith("…")


def test_too_many_parameters_are_cut_and_said(watching):
    watched = watching.python(
        """
        import argparse
        parser = argparse.ArgumentParser()
        for n in range(3000): parser.add_argument("--o%d" % n, default=n)
        parser.parse_args()
        """
    )
    assert len(watched.observation.parameters) == MOST
    assert any(gap.what == "some hyperparameters" for gap in watched.gaps)


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("password", "x", True),
        ("db.password", 1, True),
        ("apiKey", "x", True),
        ("api-key", "x", True),
        ("aws_secret_access_key", "x", True),
        ("hf_token", "x", True),
        ("auth", "x", True),
        ("max_tokens", 512, False),
        ("token", 3, False),
        ("pad_token", "<pad>", False),
        ("tokenizer", "bert", False),
        ("author", "x", False),
        ("key_dim", 64, False),
        ("use_auth", True, False),
        ("password", None, False),
    ],
)
def test_names_of_secrets(name, value, expected):
    assert is_secret(name, value) is expected


@pytest.mark.index
def test_scikit_learn(watching, project, tmp_path):
    """The real one: a pipeline, a forest whose trees are passed over, and a search in worker processes."""
    venv.create(tmp_path / "venv", symlinks=True, with_pip=True)
    python = str(tmp_path / "venv/bin/python")
    install = [python, "-m", "pip", "install", "-q", "--disable-pip-version-check", "scikit-learn"]
    subprocess.run(install, check=True, capture_output=True)
    script = watching.script(
        """
        from sklearn.datasets import load_iris
        from sklearn.ensemble import RandomForestClassifier
        from sklearn.linear_model import LogisticRegression
        from sklearn.model_selection import GridSearchCV
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler
        X, y = load_iris(return_X_y=True)
        make_pipeline(StandardScaler(), LogisticRegression(max_iter=300)).fit(X, y)
        RandomForestClassifier(n_estimators=5, random_state=3).fit(X, y)
        GridSearchCV(LogisticRegression(max_iter=300), {"C": [0.1, 2.0]}, n_jobs=2, cv=2).fit(X, y)
        """
    )
    watched = watching(python, script)
    values = found(watched)
    forest, logistic = "sklearn.ensemble.RandomForestClassifier", "sklearn.linear_model.LogisticRegression"
    assert values[forest, "n_estimators"] == ("5", "given", "main.py:10")
    value, source, origin = values[forest, "criterion"]
    assert (value, source, origin.split()[0]) == ('"gini"', "default", "scikit-learn")
    assert values[logistic, "max_iter"][0] == "300"
    tried = {item.value for item in watched.observation.parameters if item.name == "C"}
    assert {"0.1", "2.0"} <= tried
    owners = {owner for owner, _ in values}
    assert not any("Tree" in owner or owner.startswith("argparse") for owner in owners)
    assert {"sklearn.pipeline.Pipeline", "sklearn.preprocessing.StandardScaler"} <= owners
