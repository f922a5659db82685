# Mean and number of each group of a table.
BEGIN { FS = ","; OFS = "," }
NR > 1 { sum[$1] += $2; n[$1]++ }
END { for (group in sum) print group, n[group], sum[group] / n[group] > "summary.csv" }
