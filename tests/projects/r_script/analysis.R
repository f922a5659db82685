# An unseeded simulation around measured values.
table <- read.csv("measured.csv")
noise <- rnorm(nrow(table))
table$simulated <- table$value + noise
table$at <- format(Sys.time(), "%Y-%m-%d %H:%M:%OS6")
write.csv(table, "simulated.csv", row.names = FALSE)
fit <- lm(simulated ~ value, data = table)
print(coef(fit))
cat(tempfile() != "", date(), Sys.getpid() > 0, "\n")
print(sample(10))
