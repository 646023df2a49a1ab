"""Nothing to import: `static/editor.js` is what `dagfs serve` looks for."""
