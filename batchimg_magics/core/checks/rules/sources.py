"""The documents that state the rules, by Microsoft's titles."""

from __future__ import annotations

DOCUMENT = "Batch: Use a managed image to create a custom image pool (see source-document.md)"
GALLERY_POOL = "Batch: Use the Azure Compute Gallery to create a custom image pool"
GALLERY = "Compute: Store and share images in an Azure Compute Gallery"
GENERALIZE = "Compute: Deprovision or generalize a VM before creating an image"
NETWORK = "Batch: Create a pool in a virtual network"
QUOTAS = "Batch: Service quotas and limits"
LIFECYCLE = "Batch: supported images and sizes, batchSupportEndOfLife"
TRUSTED = "Compute: Trusted Launch, and Batch: securityProfile of pools"
ACCESS = "Batch: Role-based access control, and Authenticate with Microsoft Entra ID"
API = "Batch: REST API reference"
RETIREMENT = "Batch: retirement of custom image pools without the Azure Compute Gallery, 31 March 2026"
LIMIT = "`connect --max-cost-per-hour`"
