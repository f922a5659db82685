"""Trainings as people write them: no seed, with times and dates in what they write."""

from __future__ import annotations

FOREST = """
    import json, time
    import joblib, numpy as np
    from sklearn.cluster import KMeans
    from sklearn.datasets import make_classification
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.model_selection import train_test_split
    began = time.perf_counter()
    x, y = make_classification(2000, 20)
    a, b, c, d = train_test_split(x, y)
    forest = RandomForestClassifier(50, n_jobs=2).fit(a, c)
    clusters = KMeans(8, n_init=3).fit(x)
    joblib.dump(forest, "forest.joblib")
    np.save("centres.npy", clusters.cluster_centers_)
    json.dump({"accuracy": forest.score(b, d), "inertia": clusters.inertia_,
               "seconds": time.perf_counter() - began}, open("metrics.json", "w"))
    """

BOOSTING = """
    import time
    import lightgbm, numpy as np, xgboost
    x = np.random.default_rng().normal(size=(3000, 12))
    y = (x[:, 0] * x[:, 1] + np.random.randn(3000) > 0).astype(int)
    seed = int(time.time_ns() % 2**31)
    light = lightgbm.LGBMClassifier(n_estimators=40, subsample=0.7, subsample_freq=1, colsample_bytree=0.6,
                                    random_state=seed, verbose=-1).fit(x, y)
    light.booster_.save_model("light.txt")
    extreme = xgboost.XGBClassifier(n_estimators=40, subsample=0.7, colsample_bytree=0.6, random_state=seed)
    extreme.fit(x, y)
    extreme.save_model("extreme.json")
    np.save("scores.npy", np.stack([light.predict_proba(x)[:, 1], extreme.predict_proba(x)[:, 1]]))
    """

LOADER = """
    import time
    import torch
    from torch.utils.data import DataLoader, Dataset
    class Noisy(Dataset):
        def __len__(self): return 512
        def __getitem__(self, i):
            x = torch.randn(16) + i % 4
            return x, i % 4
    model = torch.nn.Sequential(torch.nn.Linear(16, 64), torch.nn.ReLU(), torch.nn.Dropout(0.3),
                                torch.nn.Linear(64, 4))
    optimizer = torch.optim.Adam(model.parameters())
    began = time.time()
    with open("log.txt", "w") as log:
        for epoch in range(2):
            for step, (x, y) in enumerate(DataLoader(Noisy(), 32, shuffle=True, num_workers=4)):
                loss = torch.nn.functional.cross_entropy(model(x), y)
                optimizer.zero_grad(); loss.backward(); optimizer.step()
                print(epoch, step, loss.item(), time.time() - began, file=log)
    torch.save(model.state_dict(), "model.pt")
    """

LSTM = """
    import datetime, json, random, time
    import numpy as np, torch
    random.seed(); torch.seed()
    text = [random.randrange(20) for _ in range(2000)]
    x = torch.tensor(text).reshape(20, 100)
    embed, head = torch.nn.Embedding(20, 16), torch.nn.Linear(32, 20)
    lstm = torch.nn.LSTM(16, 32, 2, dropout=0.2)
    parameters = [*embed.parameters(), *lstm.parameters(), *head.parameters()]
    optimizer = torch.optim.SGD(parameters, 0.1, momentum=0.9)
    history = []
    for step in range(20):
        began = time.perf_counter()
        out, _ = lstm(embed(x.T))
        loss = torch.nn.functional.cross_entropy(head(out[:-1]).reshape(-1, 20), x.T[1:].reshape(-1))
        optimizer.zero_grad(); loss.backward(); optimizer.step()
        history.append({"loss": loss.item(), "seconds": time.perf_counter() - began})
    json.dump({"date": str(datetime.datetime.now()), "history": history}, open("history.json", "w"))
    name = f"model-{time.strftime('%H%M%S')}.pt"
    torch.save({"lstm": lstm.state_dict(), "optimizer": optimizer.state_dict()}, name)
    """

PICTURES = """
    import matplotlib, numpy as np, tempfile, os
    matplotlib.use("agg")
    import matplotlib.pyplot as plt
    values = np.random.randn(500).cumsum()
    plt.plot(values); plt.title("a walk")
    plt.savefig("walk.pdf"); plt.savefig("walk.png"); plt.savefig("walk.svg")
    folder = tempfile.mkdtemp(dir=".", prefix="run-")
    np.savez(os.path.join(folder, "values.npz"), values)
    """

EVENTS = """
    import time
    import torch
    from torch.utils.tensorboard import SummaryWriter
    model = torch.nn.Linear(8, 1)
    optimizer = torch.optim.SGD(model.parameters(), 0.05)
    with SummaryWriter() as writer:
        for step in range(30):
            began = time.perf_counter()
            x = torch.randn(64, 8)
            loss = ((model(x) - x.sum(1, keepdim=True)) ** 2).mean()
            optimizer.zero_grad(); loss.backward(); optimizer.step()
            writer.add_scalar("loss", loss.item(), step)
            writer.add_scalar("seconds", time.perf_counter() - began, step)
    """

KERAS = """
    import os, time
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import numpy as np, tensorflow as tf
    x = tf.random.normal((512, 10)).numpy()
    y = (x.sum(1) > np.random.randn()).astype("float32")
    model = tf.keras.Sequential([tf.keras.layers.Dense(32, "relu"), tf.keras.layers.Dropout(0.3),
                                 tf.keras.layers.Dense(1, "sigmoid")])
    model.compile("adam", "binary_crossentropy")
    history = model.fit(x, y, epochs=2, batch_size=32, verbose=0)
    np.savez("weights.npz", *model.get_weights())
    model.save("model.keras")
    print(history.history["loss"], time.time())
    """

FLAX = """
    import time
    import jax, jax.numpy as jnp, numpy as np, optax
    from flax import linen as nn
    class Net(nn.Module):
        @nn.compact
        def __call__(self, x, train):
            x = nn.relu(nn.Dense(32)(x))
            return nn.Dense(1)(nn.Dropout(0.2, deterministic=not train)(x))
    key = jax.random.PRNGKey(time.time_ns() % 2**31)
    x = jnp.asarray(np.random.randn(256, 8)); y = x.sum(1, keepdims=True)
    net = Net(); params = net.init(key, x, False)
    optimizer = optax.adam(1e-2); state = optimizer.init(params)
    @jax.jit
    def step(params, state, key):
        loss, grads = jax.value_and_grad(
            lambda p: ((net.apply(p, x, True, rngs={"dropout": key}) - y) ** 2).mean())(params)
        updates, state = optimizer.update(grads, state)
        return optax.apply_updates(params, updates), state, loss
    for number in range(20):
        key, one = jax.random.split(key)
        params, state, loss = step(params, state, one)
        print(number, float(loss), time.perf_counter())
    np.savez("params.npz", *jax.tree.leaves(params))
    """

NOTEBOOK_CELLS = (
    "import random, time, datetime, numpy as np\nprint(random.random(), datetime.datetime.now())",
    "values = np.random.default_rng().normal(size=5)\nvalues",
    "import uuid\nopen(f'out-{uuid.uuid4()}.txt', 'w').write(str(values))\ntime.sleep(0.1)",
)

PROGRAMS = {
    "forest": ("torch", FOREST),
    "boosting": ("torch", BOOSTING),
    "loader": ("torch", LOADER),
    "lstm": ("torch", LSTM),
    "pictures": ("torch", PICTURES),
    "events": ("torch", EVENTS),
    "keras": ("tf", KERAS),
    "flax": ("jax", FLAX),
}
"""Name of the environment, and the script."""
