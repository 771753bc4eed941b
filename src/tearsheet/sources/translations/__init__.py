"""Reports in any language, as tables with English headings."""
