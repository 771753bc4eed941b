"""Names of the frames of other libraries; `frame_types.pyi` says what they are, so that none is imported."""

PolarsFrame = PandasFrame = PandasSeries = ArrowTable = ArrowSchema = NarwhalsFrame = object
