"""The service, through aioboto3; the only place that knows botocore."""

from provisioner.gateway.retry import BackoffPolicy
from provisioner.gateway.service import ServiceGateway, open_gateway

__all__ = ["BackoffPolicy", "ServiceGateway", "open_gateway"]
