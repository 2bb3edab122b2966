"""The controller manager: one package for each controller, independent of each other; `app` wires them together.

Each controller is level-driven: informers put keys into a queue, a worker takes a key, looks at what is, decides in a
pure function (`core.py`, `rollout.py`, ...) and writes through the API. `shared/` holds what several of them know about
pods and owners.
"""
