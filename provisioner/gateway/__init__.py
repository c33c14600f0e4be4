"""The service, through aioboto3; the only place that knows botocore."""

from provisioner.gateway.endpoint import is_loopback
from provisioner.gateway.retry import BackoffPolicy
from provisioner.gateway.service import ServiceGateway, open_gateway

__all__ = ["BackoffPolicy", "ServiceGateway", "is_loopback", "open_gateway"]
