"""From text to values: YAML with marks, the two dialects of Dagu, problems, and `${…}` references."""
