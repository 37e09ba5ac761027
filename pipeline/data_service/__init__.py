"""Training batches made by other processes, which tf.data service feeds with steps: `--data_service=HOST:PORT`."""
