"""The forms of patches, one module each; `apimachinery.patch` is the way in."""
