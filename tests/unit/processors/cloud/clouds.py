"""What each cloud's metadata service answers, by path, as its documentation shows it."""

import json

AWS = {
    "/latest/api/token": "secret",
    "/latest/dynamic/instance-identity/document": json.dumps(
        {
            "accountId": "123456789012",
            "availabilityZone": "us-east-1c",
            "imageId": "ami-abcd1234",
            "instanceId": "i-4e123456",
            "instanceType": "t2.medium",
            "region": "us-east-1",
            "kernelId": None,
        }
    ),
    "/latest/meta-data/instance-id": "i-4e123456",
}
AZURE = {
    "/metadata/instance/compute?api-version=2021-02-01": json.dumps(
        {
            "location": "eastus2",
            "name": "test-az-vm",
            "vmId": "04ab04c3-63de-4709-a9f9-9ab8c0411d5e",
            "vmSize": "Standard_D3_v2",
            "subscriptionId": "5tfb04c3",
            "zone": "",
        }
    )
}
GCP = {
    "/computeMetadata/v1/?recursive=true&alt=json": json.dumps(
        {
            "instance": {
                "id": 3910564293633576924,
                "machineType": "projects/111111111111/machineTypes/f1-micro",
                "name": "test-gce-dev",
                "zone": "projects/111111111111/zones/us-east1-b",
            },
            "project": {"numericProjectId": 111111111111, "projectId": "test-dev"},
        }
    )
}
DIGITALOCEAN = {"/metadata/v1.json": json.dumps({"droplet_id": 1111111, "region": "nyc3"})}
OPENSTACK = {
    "/latest/meta-data/instance-id": "i-00011a84\n",
    "/latest/meta-data/hostname": "test-998d932195.mycloud.tld",
    "/latest/meta-data/instance-type": "m2.large",
    "/latest/meta-data/placement/availability-zone": "xxxx-az-c",
}
HETZNER = {
    "/hetzner/v1/metadata/instance-id": "111111",
    "/hetzner/v1/metadata/hostname": "my-hetzner-instance",
    "/hetzner/v1/metadata/availability-zone": "hel1-dc2",
    "/hetzner/v1/metadata/region": "eu-central",
}
ALIBABA = {
    "/latest/meta-data/instance-id": "i-wz9g2hqiikg0aliyun2b",
    "/latest/meta-data/region-id": "cn-shenzhen",
    "/latest/meta-data/zone-id": "cn-shenzhen-a",
}
TENCENT = {
    "/meta-data/instance-id": "ins-qcloudv5",
    "/meta-data/placement/region": "china-south-gz",
    "/meta-data/placement/zone": "gz-azone2",
}
CLOUDS = {
    "aws": AWS,
    "azure": AZURE,
    "gcp": GCP,
    "digitalocean": DIGITALOCEAN,
    "openstack": OPENSTACK,
    "hetzner": HETZNER,
    "alibaba": ALIBABA,
    "tencent": TENCENT,
}
