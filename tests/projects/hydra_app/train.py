"""A hydra application: settings from groups of files, its own dated output folder, a log."""

import json
import logging
import random
from pathlib import Path

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

log = logging.getLogger(__name__)


@hydra.main(version_base="1.3", config_path="conf", config_name="config")
def main(config: DictConfig) -> None:
    loss = 1.0
    for step in range(config.steps):
        loss *= 1 - config.optimizer.lr * random.random()
        log.info("step %d loss %.4f", step, loss)
    folder = Path(HydraConfig.get().runtime.output_dir)
    (folder / "metrics.json").write_text(json.dumps({"loss": loss, "optimizer": config.optimizer.name}))


if __name__ == "__main__":
    main()
