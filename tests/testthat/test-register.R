test_that("a method is registered in a loaded package", {
  register_s3("stats", "update", "ferrite_test_class", function(object, ...) "found")
  expect_identical(stats::update(structure(list(), class = "ferrite_test_class")), "found")
})

test_that("every entry names a package, a generic, a class and a function", {
  for (entry in foreign_methods()) {
    expect_length(entry, 4L)
    expect_type(unlist(entry[1:3]), "character")
    expect_type(entry[[4]], "closure")
  }
})
