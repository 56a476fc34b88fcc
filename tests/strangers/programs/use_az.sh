# From a new VM to a pool of its image, and back to nothing, with the Azure CLI in its own cloud, AzureCloud.
set -eu
az login --service-principal -u "$AZURE_CLIENT_ID" -p "$AZURE_CLIENT_SECRET" --tenant "$AZURE_TENANT_ID" --output none
az group create --name lab --location eastus --output none
az vm create --resource-group lab --name prepared --image Ubuntu2204 --size Standard_D2s_v3 --admin-username me \
  --generate-ssh-keys --security-type Standard --public-ip-sku Standard --output none --only-show-errors
az vm run-command invoke --resource-group lab --name prepared --command-id RunShellScript --output none \
  --scripts 'systemd-run --on-active=30 /bin/sh -c "waagent -deprovision+user -force && sync && poweroff"'
az vm deallocate --resource-group lab --name prepared
az vm generalize --resource-group lab --name prepared
disk=$(az vm show --resource-group lab --name prepared --query storageProfile.osDisk.managedDisk.id --output tsv)
az snapshot create --resource-group lab --name tools --source "$disk" --output none
az sig create --resource-group lab --gallery-name images --output none
az sig image-definition create --resource-group lab --gallery-name images --gallery-image-definition tools \
  --publisher me --offer tools --sku v1 --os-type Linux --os-state Generalized --hyper-v-generation V2 \
  --features SecurityType=Standard --output none
az sig image-version create --resource-group lab --gallery-name images --gallery-image-definition tools \
  --gallery-image-version 1.0.0 --os-snapshot tools --output none
version=$(az sig image-version show --resource-group lab --gallery-name images --gallery-image-definition tools \
  --gallery-image-version 1.0.0 --query id --output tsv)
az batch account create --resource-group lab --name labbatch --location eastus --output none
az batch account login --resource-group lab --name labbatch
unset AZURE_BATCH_ACCOUNT AZURE_BATCH_ENDPOINT
az batch pool create --id tools --vm-size Standard_D2s_v3 --image "$version" \
  --node-agent-sku-id 'batch.node.ubuntu 22.04' --target-dedicated-nodes 2
az batch pool resize --pool-id tools --target-dedicated-nodes 3
az batch node list --pool-id tools --query 'length([?state==`idle`])' --output tsv
az batch pool delete --pool-id tools --yes
az vm delete --resource-group lab --name prepared --yes
az group delete --name lab --yes
az group exists --name lab
