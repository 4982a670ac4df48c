"""A folder of pictures on its way to a data set: segmented, looked at, exported."""
