"""The service, through aioboto3; the only place that knows botocore."""
