"""Programs that measure; each prints its figures, none passes judgement. Results with their machine: docs/benchmarks.md."""
