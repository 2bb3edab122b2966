"""What every process of Coxswain shares: configuration, logging, metrics, health, signals."""
