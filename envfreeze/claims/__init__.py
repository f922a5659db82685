"""Claims: what a paper says of its results, as expressions over the outputs, in ``claims.yaml``.

An example::

    claims:
      - id: ours-wins
        location: Table 2
        text: Our method is better than the baseline by a point.
        holds: "table2.csv: method=ours.f1 > method=base.f1 by 0.01"

Grammar of ``holds`` (nothing of it is ever evaluated as Python)::

    claim      = both { "or" both }
    both       = one { "and" one }
    one        = "not" one | "(" claim ")" | comparison
    comparison = sum ( ">" | ">=" | "<" | "<=" | "==" | "!=" ) sum [ "by" sum ]
               | sum "in" ( "[" | "(" ) sum "," sum ( "]" | ")" )
               | sum "~=" sum "within" sum
    sum        = product { ( "+" | "-" ) product }
    product    = factor { ( "*" | "/" ) factor }
    factor     = "-" factor | number [ "%" ] | "(" sum ")" | ( "abs" | "min" | "max" ) "(" sum { "," sum } ")"
               | [ file ":" ] selector

``file`` is an output's path relative to the project, or ``<stdout>``; with blanks in it in double quotes.
A selector (``metrics/_selector.py``) without a file is looked for in the file before it. ``a > b by c`` means
a − b ≥ c, and ``a < b by c`` means b − a ≥ c; ``within 1%`` means 0.01. Operators stand between blanks, as
names may hold ``-``, ``+`` and ``/``. Numbers are decimal and exact: 0.94 is better than 0.93 by 0.01.
"""
