"""The figures: each public function makes one, as SVG and as PNG, from tables of results."""
