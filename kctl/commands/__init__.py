"""One module for each command (or family of commands); `kctl.cli` imports a module when its command is called."""
