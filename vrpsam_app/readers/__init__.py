"""One module for each family of files: what a file holds, lazily, with its axes and pixel size."""
