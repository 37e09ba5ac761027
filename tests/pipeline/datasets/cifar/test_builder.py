"""The TFDS builders write data sets that stock TFDS reads."""

import pytest

from pipeline.datasets.cifar import builder, records
from pipeline.datasets.cifar.spec import SPECS
from tests.pipeline.datasets import archives


@pytest.mark.parametrize("dataset", archives.SMALL_SPECS)
def test_stock_tfds_reads_the_records(dataset, tmp_path):
    spec = archives.SMALL_SPECS[dataset]
    splits = {split: records.Records(archives.rows(split, spec)).examples() for split in ("train", "test")}
    builder.BUILDERS[dataset](splits, data_dir=tmp_path).download_and_prepare()
    archives.check_prepared(tmp_path, spec)


@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
def test_checksums_are_those_of_tfds(spec):
    from tensorflow_datasets.core.download import checksums

    name, checksum = next(iter(spec.sha256.items()))
    assert spec.url.endswith(f"/{name}")
    known = checksums._checksum_paths()[spec.name]
    assert checksums.load_url_infos(known)[spec.url].checksum == checksum
