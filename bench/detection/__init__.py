"""The parts of the detectors' benchmark: drawn devices, what a collector sees of them, baselines, scores."""
