import math
import sys

for line in sys.stdin:
    count, word = line.split()
    print(word, math.log(1 + int(count)))
