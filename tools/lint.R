# Lints R/ and tests/ by .lintr; exits with 1 if there is anything to say.
# In tests, helpers and testthat's functions are not in the package's namespace: their use is not looked at there.

package <- lintr::lint_dir("R")
tests <- Filter(function(lint) lint$linter != "object_usage_linter", lintr::lint_dir("tests"))
for (lint in c(package, tests)) {
  cat(sprintf("%s:%d: [%s] %s\n", lint$filename, lint$line_number, lint$linter, lint$message))
}
quit(status = length(package) + length(tests) > 0L)
