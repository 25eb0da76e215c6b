"""What holds for every test. Imports nothing heavy: the tests of the registry run without Keras."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # TensorFlow writes pages about processors it could use
os.environ.setdefault("MPLBACKEND", "Agg")  # figures go to files, also where there is no screen


def pytest_addoption(parser):
    parser.addoption("--record", action="store_true", help="record the outputs of names that have no record yet")
