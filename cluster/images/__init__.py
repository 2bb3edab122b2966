"""The container images of a local cluster, built from Debian packages without any registry of images.

`recipes` says what each image holds, `packages` fetches and unpacks Debian packages, `rootfs` turns files into layers,
`archive` turns layers into OCI archives, `cache` keeps the result between runs. `guestbook` is the program of the web
tier, which runs inside its image.
"""

from cluster.images.cache import CACHE_DIRECTORY, ensure, ensure_bundle, reference
from cluster.images.packages import ImageError
from cluster.images.recipes import RECIPES

__all__ = ["CACHE_DIRECTORY", "RECIPES", "ImageError", "ensure", "ensure_bundle", "reference"]
