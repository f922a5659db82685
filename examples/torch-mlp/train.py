"""A small network on two moons, on the CPU, with PyTorch. Writes metrics.json and weights.pt into results/."""

import argparse
import json
import math
from pathlib import Path

import torch
from torch import nn


def two_moons(count, generator):
    """Points on two interleaved half circles, with noise: (count, 2) floats and (count,) labels."""
    angle = torch.rand(count, generator=generator) * math.pi
    label = torch.arange(count) % 2
    x = torch.where(label == 0, torch.cos(angle), 1 - torch.cos(angle))
    y = torch.where(label == 0, torch.sin(angle), 0.5 - torch.sin(angle))
    points = torch.stack([x, y], dim=1)
    return points + 0.1 * torch.randn(count, 2, generator=generator), label


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--learning-rate", type=float, default=0.01)
    arguments = parser.parse_args()
    results = Path("results")
    results.mkdir(exist_ok=True)

    torch.manual_seed(arguments.seed)
    generator = torch.Generator().manual_seed(arguments.seed)
    points, labels = two_moons(1024, generator)
    model = nn.Sequential(nn.Linear(2, 64), nn.ReLU(), nn.Dropout(0.1), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 2))
    optimizer = torch.optim.Adam(model.parameters(), lr=arguments.learning_rate)
    losses = []
    for epoch in range(arguments.epochs):
        order = torch.randperm(len(points), generator=generator)
        for batch in order.split(64):
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(points[batch]), labels[batch])
            loss.backward()
            optimizer.step()
        losses.append(loss.item())
    model.eval()
    with torch.no_grad():
        accuracy = (model(points).argmax(dim=1) == labels).float().mean().item()
    print(f"accuracy {accuracy:.4f}, last loss {losses[-1]:.4f}")
    (results / "metrics.json").write_text(json.dumps({"accuracy": accuracy, "losses": losses}, indent=2) + "\n")
    torch.save(model.state_dict(), results / "weights.pt")


if __name__ == "__main__":
    main()
