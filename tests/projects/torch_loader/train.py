"""Trains a small network with dropout on samples that two worker processes load and disturb; nothing is seeded."""

import json
from pathlib import Path

import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset


class Samples(Dataset):
    def __init__(self):
        self.paths = sorted(Path("samples").glob("*.txt"))

    def __len__(self):
        return len(self.paths)

    def __getitem__(self, index):
        *x, y = map(float, self.paths[index].read_text().split())
        return torch.tensor(x) + 0.1 * torch.randn(len(x)), torch.tensor([y])


def main():
    net = nn.Sequential(nn.Linear(3, 16), nn.ReLU(), nn.Dropout(0.5), nn.Linear(16, 1))
    optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
    losses = []
    for _ in range(2):
        for x, y in DataLoader(Samples(), batch_size=4, shuffle=True, num_workers=2):
            optimizer.zero_grad()
            loss = nn.functional.mse_loss(net(x), y)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
    torch.save(net.state_dict(), "net.pt")
    Path("losses.json").write_text(json.dumps(losses))


if __name__ == "__main__":
    main()
