"""Why Azure allocates no nodes or refuses a request: one table of causes.

An entry has Azure's codes for a cause, its class, what it means in plain words, and what to do about it. Batch's own
codes and those of the resource providers, which Batch quotes, are in the same table. A code decides before the words of
a message, and a special entry, which is before a more general one, decides first.
"""

from __future__ import annotations

from batchimg_magics.core.base.cause import Cause
from batchimg_magics.core.base.outcomes import OutcomeClass

_BATCH = "Batch: resize error codes of the REST reference; Check for pool and node errors"
_COMPUTE = "Compute: Troubleshoot allocation failures; Troubleshoot deploying VMs; Common Azure VM error codes"
_ARM = "Azure Resource Manager: Troubleshoot common Azure deployment errors"
_NETWORK = "Batch: Create a pool in a virtual network; Virtual Network: error codes"
_GALLERY = "Compute: Troubleshoot issues with images in an Azure Compute Gallery"
_KEYS = "Compute: Server-side encryption of managed disks; Key Vault: error codes"
_REPORTS = "public issues of Azure/Batch, Azure/azure-cli and hashicorp/packer"

_FATAL, _QUOTA, _TRANSIENT = OutcomeClass.FATAL, OutcomeClass.QUOTA, OutcomeClass.TRANSIENT
_KEY_FIX = (
    "give the identity of the disk encryption set the role Key Vault Crypto Service Encryption User on the key vault, "
    "and let the vault's firewall admit trusted services"
)
_REPLICA_FIX = "replicate it: run `%batchimg create` again, which adds a replica in the account's region"
_LATER = "try again later, or choose another VM size or region"
_MORE_QUOTA = "request more quota in the portal (Quotas) or fewer nodes"
#: Codes of a missing right.
_RIGHTS = (
    "accessdenied", "authorizationfailed", "authorizationpermissionmismatch", "forbidden",
    "insufficientaccountpermissions", "insufficientpermissions", "linkedaccesscheckfailed", "linkedauthorizationfailed",
    "unauthorized",
)  # fmt: skip
_MISSING = ("*notfound*", "*doesnotexist*", "invalidresourcereference", "linkedinvalidpropertyid")
_NO_REPLICA = (
    ("image", "not available in"), ("image", "not found in", "region"), ("image", "not replicated"),
    ("image", "no replica"), ("image", "does not exist in", "region"), ("image", "replicat", "region"),
    ("image", "replicat", "location"),
)  # fmt: skip
_VAULT = (("key vault",), ("keyvault",))
_VAULT_ACCESS = tuple(
    (vault, word)
    for vault in ("key vault", "keyvault", "disk encryption set", "diskencryptionset")
    for word in ("access", "permission", "denied", "forbidden", "authoriz", "firewall")
)

CAUSES: tuple[Cause, ...] = (
    Cause("somebody stopped the resize", OutcomeClass.STOPPED, "run the resize again", _BATCH, ("resizestopped",)),
    Cause(
        "the resize timeout was reached", OutcomeClass.PARTIAL, "allow more time with --timeout", _BATCH,
        ("allocationtimedout",),
    ),
    Cause(
        "the account's quota for the VM family is used up", _QUOTA,
        "request more quota for the family in the portal (the Batch account's Quotas), or another VM size", _BATCH,
        ("accountvmseriescorequotareached",),
    ),
    Cause(
        "the account's Spot core quota is used up", _QUOTA,
        "request more Spot cores in the portal (the Batch account's Quotas), or fewer Spot nodes", _BATCH,
        ("accountlowprioritycorequotareached", "accountspotcorequotareached"),
    ),
    Cause(
        "the account's core quota is used up", _QUOTA,
        "request more cores in the portal (the Batch account's Quotas), or fewer nodes", _BATCH, ("account*quota*",),
    ),
    Cause(
        "a pool with inter-node communication has its largest size", _QUOTA,
        "request fewer nodes, or create the pool without inter-node communication", _BATCH,
        ("communicationenabledpoolreachedmaxvmcount",),
    ),
    Cause(
        "the pool has inter-node communication and both kinds of nodes", _FATAL,
        "request only dedicated or only Spot nodes for a pool with inter-node communication", _REPORTS,
        phrases=(("both target", "communication"),),
    ),
    Cause(
        "an Azure policy denies it", _FATAL, "ask the administrator of the policy for an exemption", _ARM,
        ("requestdisallowedbypolicy", "policyviolation", "disallowedbypolicy"), details="policy", in_requests=True,
    ),
    Cause(
        "Azure does not allow this region or resource for the subscription", _FATAL,
        "choose another region, or ask Azure support for access", _ARM, ("requestdisallowedbyazure",), in_requests=True,
    ),
    Cause(
        "a lock forbids it", _FATAL, "remove the lock", _ARM, ("scopelocked",), details="lock", in_requests=True,
    ),
    Cause(
        "the subscription is not registered for a resource provider", _FATAL,
        "register the subscription: `az provider register --namespace NAMESPACE`", _ARM,
        ("missingsubscriptionregistration", "subscriptionnotregistered", "missingregistrationforlocation",
         "missingregistrationfortype"),
        details="registration", in_requests=True,
    ),
    Cause(
        "a feature is not registered for the subscription", _FATAL,
        "register the feature that the message names: `az feature register --namespace Microsoft.Compute --name NAME`",
        _COMPUTE, ("featurenotregistered", "subscriptionnotregisteredforfeature", "featuresnotenabled"),
        in_requests=True,
    ),
    Cause(
        "a feature is not enabled for the subscription", _FATAL,
        "register the feature that the message names: `az feature register --namespace Microsoft.Compute --name NAME`",
        _COMPUTE, phrases=(("feature", "not enabled", "subscription"), ("not registered", "feature")), in_requests=True,
    ),
    Cause(
        "the resource group is being deleted", _FATAL, "use resources in another resource group", _ARM,
        ("resourcegroupbeingdeleted",), in_requests=True,
    ),
    Cause(
        "the subscription is disabled", _FATAL,
        "ask the owner of the subscription to enable it in the portal (Subscriptions, Cost Management)", _ARM,
        ("readonlydisabledsubscription", "subscriptiondisabled", "disabledsubscription", "subscriptionisdisabled",
         "readonlysubscription", "subscriptionnotactive"), in_requests=True,
    ),
    Cause(
        "the terms of the Marketplace image are not accepted", _FATAL,
        "accept them: `az vm image terms accept --urn PUBLISHER:OFFER:SKU:VERSION`", _COMPUTE,
        ("marketplacepurchaseeligibilityfailed", "resourcepurchasevalidationfailed", "resourcepurchasecanceling"),
        (("terms",),), in_requests=True,
    ),
    Cause(
        "the subscription may not buy the Marketplace image", _FATAL,
        "check the subscription's payment method and region, or ask the publisher of the image for access", _COMPUTE,
        ("marketplacepurchaseeligibilityfailed", "resourcepurchasevalidationfailed", "resourcepurchasecanceling"),
        in_requests=True,
    ),
    Cause(
        "the image has a purchase plan, and its image definition has none", _FATAL,
        "create the image again: `%batchimg create` adds the plan to the image definition", _COMPUTE,
        ("vmmarketplaceinvalidinput",),
    ),
    Cause(
        "the disk encryption set may not use its key in the key vault", _FATAL, _KEY_FIX, _KEYS, _RIGHTS, _VAULT,
    ),
    Cause(
        "the right to use the subnet is missing", _FATAL,
        "ask for Network Contributor on the subnet", _NETWORK, _RIGHTS,
        (("subnets/join",), ("virtualnetworks",)), details="right",
    ),
    Cause(
        "the right to read the image is missing", _FATAL,
        "ask for Reader on the gallery of the image", _GALLERY,
        _RIGHTS, (("images/read",), ("versions/read",), ("galleries/",), ("compute/images",)), details="right",
    ),
    Cause(
        "the right to read the image's disk or snapshot is missing", _FATAL,
        "ask for Reader and Microsoft.Compute/disks/beginGetAccess/action on the disk under the image", _BATCH,
        _RIGHTS, (("begingetaccess",), ("compute/disks/",), ("compute/snapshots/",)), details="right",
    ),
    Cause(
        "the right to use the disk encryption set is missing", _FATAL,
        "ask for Reader on the disk encryption set", _KEYS, _RIGHTS, (("diskencryptionset",), ("disk encryption set",)),
        details="right",
    ),
    Cause(
        "the right to use the managed identity is missing", _FATAL,
        "ask for Managed Identity Operator on the managed identity", _ARM, _RIGHTS,
        (("userassignedidentit",),), details="right",
    ),
    Cause(
        "Batch may not create nodes in the subscription", _FATAL,
        "give 'Microsoft Azure Batch' the role Contributor on the subscription: `az role assignment create --assignee "
        "ddbf3205-c6bd-46ae-8127-60eb93363864 --role Contributor --scope /subscriptions/ID`", _BATCH,
        phrases=(("batch", "does not have", "permission"), ("batch", "not authorized", "pool operation"),
                 ("batch", "lacks", "permission")),
    ),
    Cause(
        "Batch has no permission for a resource that the pool uses", _FATAL,
        "request a role that allows the action that the message names", _ARM, _RIGHTS, details="right",
        in_requests=True, general=True,
    ),
    Cause(
        "the key in the key vault is disabled, expired or deleted", _FATAL,
        "enable the key, or set another one in the disk encryption set", _KEYS,
        ("keyvaultencryptionkeyunavailable", "keyvaultkey*", "keyvaultsecret*"),
    ),
    Cause(
        "the key in the key vault is disabled, expired or deleted", _FATAL,
        "enable the key, or set another one in the disk encryption set", _KEYS,
        phrases=(("key vault", "disabled"), ("keyvault", "disabled"), ("key vault", "expired"), ("keyvault", "expired"),
                 ("key vault", "soft delete"), ("key vault", "soft-delete")),
    ),
    Cause(
        "the disk encryption set may not use its key in the key vault", _FATAL, _KEY_FIX, _KEYS,
        ("keyvaultaccess*", "keyvaultauthentication*", "keyvaultforbidden", "diskencryptionset*access*"),
    ),
    Cause(
        "the disk encryption set may not use its key in the key vault", _FATAL, _KEY_FIX, _KEYS, phrases=_VAULT_ACCESS,
    ),
    Cause(
        "Azure has no capacity for the VM size just now", _TRANSIENT, _LATER, _COMPUTE, ("skunotavailable",),
        (("currently",), ("capacity",)), in_requests=True,
    ),
    Cause(
        "Azure has no capacity for the VM size with these constraints just now", _TRANSIENT,
        "try again later, or use fewer constraints (zone, ephemeral disk, accelerated networking), another VM size or "
        "region", _COMPUTE, ("overconstrained*",), in_requests=True,
    ),
    Cause(
        "Azure has no capacity for the VM size in the zone just now", _TRANSIENT,
        "try again later, or choose another zone, VM size or region", _COMPUTE, ("zonalallocation*", "*zonalcapacity*"),
        in_requests=True,
    ),
    Cause(
        "Azure has no capacity for the VM size just now", _TRANSIENT, _LATER, _COMPUTE,
        ("insufficientcapacity*", "capacity*", "*insufficientcapacity", "skucapacity*", "outofcapacity*",
         "spot*capacity*", "allocationfailure"), in_requests=True,
    ),
    Cause(
        "Azure has no capacity for the VM size just now", _TRANSIENT, _LATER, _COMPUTE,
        phrases=(("sufficient capacity",), ("enough capacity",), ("insufficient capacity",), ("no capacity",),
                 ("capacity", "not available"), ("lack of capacity",), ("out of capacity",),
                 ("capacity", "constrained")), in_requests=True,
    ),
    Cause(
        "the subscription's quota of public IP addresses is used up", _QUOTA,
        "request more public IP addresses in the portal (Quotas, Networking), or create the pool with "
        "--no-public-address", _NETWORK, ("*publicip*limit*", "*publicip*quota*"), in_requests=True,
    ),
    Cause(
        "a core quota of the subscription is used up", _QUOTA, f"{_MORE_QUOTA}, or another VM size", _COMPUTE,
        phrases=(("core", "quota"),), in_requests=True,
    ),
    Cause(
        "a quota or limit of the subscription is used up", _QUOTA, _MORE_QUOTA, _ARM,
        ("*quotaexceeded*", "*quotareached*", "*limitreached*", "*limitexceeded*", "*countlimit*", "*maxcount*"),
        in_requests=True,
    ),
    Cause(
        "a quota or limit is reached", _QUOTA, _MORE_QUOTA, _ARM,
        phrases=(("quota",), ("limit", "reached"), ("limit", "exceed"), ("cannot create more than",)), in_requests=True,
    ),
    Cause(
        "the VM size is not available in this region or subscription", _FATAL, "choose another VM size or region",
        _COMPUTE, ("skunotavailable", "unsupportedvmsize", "notavailableforsubscription", "invalidvmsize",
                   "vmsizenotavailable", "vmsizenotsupported"), in_requests=True,
    ),
    Cause(
        "the image's Hyper-V generation is not supported by the VM size", _FATAL,
        "choose a VM size that supports the image's generation", _COMPUTE,
        phrases=(("hypervisor generation",), ("hyper-v generation",), ("hypervgeneration",)),
    ),
    Cause(
        "the image's CPU architecture is not that of the VM size", _FATAL,
        "choose a VM size with the image's CPU architecture", _COMPUTE, phrases=(("cpu architecture",),),
    ),
    Cause(
        "the image does not boot from the VM size's disk controller", _FATAL,
        "choose a VM size with SCSI disks, or prepare a VM that boots from NVMe", _COMPUTE,
        phrases=(("disk controller",), ("diskcontrollertype",)),
    ),
    Cause(
        "the image was not generalized", _FATAL,
        "create the image again: `%batchimg create` generalizes a copy of the VM", _COMPUTE,
        ("osprovisioning*",),
    ),
    Cause(
        "the image was not generalized", _FATAL,
        "create the image again: `%batchimg create` generalizes a copy of the VM", _COMPUTE,
        phrases=(("properly prepared", "image"), ("not been generalized",), ("not generalized",)),
    ),
    Cause(
        "the pool's security type is not supported by its image or VM size", _FATAL,
        "create the pool again with the security type of the VM that the image was made from", _COMPUTE,
        phrases=(("trustedlaunch", "support"), ("trusted launch", "support"), ("security", "type", "support"),
                 ("securitytype",), ("confidentialvm",), ("security type",), ("uefisettings",), ("secure boot",)),
    ),
    Cause(
        "the OS disk is smaller than the image's", _FATAL, "create the pool with a larger OS disk", _COMPUTE,
        phrases=(("disk size", "smaller than"), ("disksizegb", "smaller than")),
    ),
    Cause(
        "the VM size does not support the disk's storage type", _FATAL,
        "choose a VM size that supports it, e.g. one with an s in its name for Premium disks", _COMPUTE,
        phrases=(("does not support", "storage account type"), ("does not support", "premium"),
                 ("not support", "ultrassd"), ("storageaccounttype", "not supported")),
    ),
    Cause(
        "the VM size does not support ephemeral OS disks of this size", _FATAL,
        "choose a VM size with a larger cache or temporary disk, or create the pool without an ephemeral OS disk",
        _COMPUTE, phrases=(("ephemeral",), ("diffdisk",)),
    ),
    Cause(
        "the VM size does not support encryption at host", _FATAL,
        "choose another VM size, or create the pool without encryption at host", _COMPUTE,
        phrases=(("encryptionathost",), ("encryption at host",)),
    ),
    Cause(
        "the VM size does not support accelerated networking", _FATAL,
        "choose another VM size, or create the pool without accelerated networking", _COMPUTE,
        phrases=(("accelerated networking",), ("acceleratednetworking",)),
    ),
    Cause(
        "the VM size is not available in the zone", _FATAL,
        "create the pool without zones, or choose another VM size", _COMPUTE,
        phrases=(("availability zone", "not support"), ("availabilityzone",), ("zone(s)", "not support"),
                 ("zone", "not available"), ("does not support", "zones")),
    ),
    Cause(
        "the image version has no replica in the region", _FATAL, _REPLICA_FIX, _GALLERY, _MISSING, _NO_REPLICA,
    ),
    Cause(
        "the image version has no replica in the region", _FATAL, _REPLICA_FIX, _GALLERY, phrases=_NO_REPLICA,
    ),
    Cause(
        "the VM size does not support what the pool asks for", _FATAL,
        "choose another VM size, or create the pool without what the message names", _COMPUTE,
        phrases=(("vm size", "not support"), ("vmsize", "not support"), ("vm size", "doesn't support"),
                 ("vmsizedoesnt",)),
    ),
    Cause(
        "the subnet is delegated to a service", _FATAL,
        "use a subnet without delegation: Batch cannot allocate nodes in a delegated one", _NETWORK,
        phrases=(("delegat", "subnet"), ("subnetwithexternal",), ("subnet", "external resources")),
    ),
    Cause(
        "the subnet has no free IP addresses", _FATAL, "use a larger subnet or fewer nodes", _NETWORK,
        ("subnetisfull", "subnet*full*", "subnet*address*"),
    ),
    Cause(
        "the subnet has no free IP addresses", _FATAL, "use a larger subnet or fewer nodes", _NETWORK,
        phrases=(("subnet", "enough", "address"), ("subnet", "enough", "capacity"), ("subnet", "free", "address"),
                 ("subnet", "available", "address"), ("subnet", "is full"), ("subnet", " no ", "ip address")),
    ),
    Cause(
        "a security group or route keeps Batch from the nodes", _FATAL,
        "allow the service tag BatchNodeManagement.REGION (in on 29876-29877 for classic communication, out on 443), "
        "and Storage.REGION out on 443", _NETWORK,
        phrases=tuple((what, word) for what in ("security group", "networksecuritygroup", "nsg", "route table")
                      for word in ("block", "deny", "denies", "denied", "not allow", " rule")),
    ),
    Cause(
        "an extension of the nodes could not be installed", _FATAL,
        "check that the nodes reach storage and Batch from their subnet, and that the image has no extensions",
        _COMPUTE, ("vmextension*", "vmartifactsrepository*"),
    ),
    Cause(
        "an extension of the nodes could not be installed", _FATAL,
        "check that the nodes reach storage and Batch from their subnet, and that the image has no extensions",
        _COMPUTE, phrases=(("processing extension",), ("vm extension",), ("vmextension",)),
    ),
    Cause(
        "another operation is in progress", _TRANSIENT, "wait until it ends, then run the same command again", _ARM,
        ("*operationinprogress*", "operationpreempted", "operationpreemptedbymorerecentoperation", "retryable*",
         "canceledandsuperseded*"),
        in_requests=True,
    ),
    Cause(
        "Azure throttles the requests", _TRANSIENT, "wait a few minutes, then run the same command again", _ARM,
        ("toomanyrequests", "*throttled*", "operationthrottled", "serverbusy", "ratelimit*"), in_requests=True,
    ),
    Cause(
        "a temporary fault in Azure", _TRANSIENT, "run the same command again later", _COMPUTE,
        ("internal*", "*internalerror", "*internaloperation", "*internalexecution", "serviceunavailable", "*timeout",
         "vmagentstatuscommunication", "vmstart*", "unknown"),
        in_requests=True,
    ),
    Cause(
        "a resource that is used does not exist", _FATAL, "create it again, or create the pool again without it", _ARM,
        _MISSING, details="missing",
    ),
    Cause(
        "a resource that is used does not exist", _FATAL, "create it again, or create the pool again without it", _ARM,
        phrases=(("was not found",), ("could not be found",), ("cannot be found",), ("not found",), ("does not exist",),
                 ("doesn't exist",), ("no longer exist",), ("has been deleted",)),
        details="missing", general=True,
    ),
    Cause(
        "Batch has no permission for a resource that the pool uses", _FATAL,
        "request a role that allows the action that the message names", _ARM,
        phrases=(("does not have", "permission"), ("does not have authorization",), ("not authorized",),
                 ("access", "denied"), ("insufficient", "permission"), ("lacks", "permission")), details="right",
        general=True,
    ),
    Cause(
        "a temporary fault in Azure", _TRANSIENT, "run the same command again later", _COMPUTE,
        phrases=(("internal error",), ("internal server error",), ("try again later",), ("retry later",),
                 ("retry the request",), ("please retry",), ("temporarily",), ("timed out",)), general=True,
    ),
    Cause(
        "Azure rejects a setting of the pool", _FATAL, "correct the setting that the message names", _COMPUTE,
        ("invalid*", "operationnotallowed", "propertychangenotallowed", "*notsupported*", "unsupported*",
         "*notallowed*", "missingrequired*", "parametervalue*", "*doesntsupport*", "*doesnotsupport*",
         "*notcompatible*", "*incompatible*", "*mismatch*", "*indifferentregion*"),
        general=True,
    ),
    Cause(
        "Azure rejects a setting of the pool", _FATAL, "correct the setting that the message names", _COMPUTE,
        phrases=(("is not supported",), ("not supported by",), ("is not allowed",), ("is invalid",), ("are invalid",),
                 ("not valid",)), general=True,
    ),
    Cause(
        "a temporary fault in Azure", _TRANSIENT, "run the same command again later", _BATCH, ("allocationfailed",),
        general=True,
    ),
)  # fmt: skip
