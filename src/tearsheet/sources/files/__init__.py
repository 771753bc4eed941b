"""Files that are not CSV, as tables: workbooks, HTML, XML, JSON and databases."""
