import fastsum

with open("sum.txt", "w") as stream:
    print(fastsum.squares(1000), file=stream)
