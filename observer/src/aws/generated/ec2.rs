//! Every field of the ec2 types that resources are made of.
//!
//! Generated from the SDK's source: `UPDATE_EXPECT=1 cargo test --test observer generated`.

use aws_sdk_ec2::types;

use crate::aws::json::{Attributes, ToJson, Value, enums, put, structs};

structs! {
    types::Address {
        allocation_id "AllocationId"
        association_id "AssociationId"
        carrier_ip "CarrierIp"
        customer_owned_ip "CustomerOwnedIp"
        customer_owned_ipv4_pool "CustomerOwnedIpv4Pool"
        domain "Domain"
        instance_id "InstanceId"
        network_border_group "NetworkBorderGroup"
        network_interface_id "NetworkInterfaceId"
        network_interface_owner_id "NetworkInterfaceOwnerId"
        private_ip_address "PrivateIpAddress"
        public_ip "PublicIp"
        public_ipv4_pool "PublicIpv4Pool"
        service_managed "ServiceManaged"
        subnet_id "SubnetId"
        tags "Tags"
    }
    types::AttachmentEnaSrdSpecification {
        ena_srd_enabled "EnaSrdEnabled"
        ena_srd_udp_specification "EnaSrdUdpSpecification"
    }
    types::AttachmentEnaSrdUdpSpecification {
        ena_srd_udp_enabled "EnaSrdUdpEnabled"
    }
    types::BlockDeviceMapping {
        device_name "DeviceName"
        ebs "Ebs"
        no_device "NoDevice"
        virtual_name "VirtualName"
    }
    types::BlockPublicAccessStates {
        internet_gateway_block_mode "InternetGatewayBlockMode"
    }
    types::CapacityReservationSpecificationResponse {
        capacity_reservation_preference "CapacityReservationPreference"
        capacity_reservation_target "CapacityReservationTarget"
    }
    types::CapacityReservationTargetResponse {
        capacity_reservation_id "CapacityReservationId"
        capacity_reservation_resource_group_arn "CapacityReservationResourceGroupArn"
    }
    types::ConnectionTrackingConfiguration {
        tcp_established_timeout "TcpEstablishedTimeout"
        udp_stream_timeout "UdpStreamTimeout"
        udp_timeout "UdpTimeout"
    }
    types::ConnectionTrackingSpecificationResponse {
        tcp_established_timeout "TcpEstablishedTimeout"
        udp_stream_timeout "UdpStreamTimeout"
        udp_timeout "UdpTimeout"
    }
    types::CpuOptions {
        amd_sev_snp "AmdSevSnp"
        core_count "CoreCount"
        nested_virtualization "NestedVirtualization"
        threads_per_core "ThreadsPerCore"
    }
    types::EbsBlockDevice {
        availability_zone "AvailabilityZone"
        availability_zone_id "AvailabilityZoneId"
        delete_on_termination "DeleteOnTermination"
        ebs_card_index "EbsCardIndex"
        encrypted "Encrypted"
        iops "Iops"
        kms_key_id "KmsKeyId"
        outpost_arn "OutpostArn"
        snapshot_id "SnapshotId"
        throughput "Throughput"
        volume_initialization_rate "VolumeInitializationRate"
        volume_size "VolumeSize"
        volume_type "VolumeType"
    }
    types::EbsInstanceBlockDevice {
        associated_resource "AssociatedResource"
        attach_time "AttachTime"
        delete_on_termination "DeleteOnTermination"
        ebs_card_index "EbsCardIndex"
        operator "Operator"
        status "Status"
        volume_id "VolumeId"
        volume_owner_id "VolumeOwnerId"
    }
    types::ElasticGpuAssociation {
        elastic_gpu_association_id "ElasticGpuAssociationId"
        elastic_gpu_association_state "ElasticGpuAssociationState"
        elastic_gpu_association_time "ElasticGpuAssociationTime"
        elastic_gpu_id "ElasticGpuId"
    }
    types::ElasticInferenceAcceleratorAssociation {
        elastic_inference_accelerator_arn "ElasticInferenceAcceleratorArn"
        elastic_inference_accelerator_association_id "ElasticInferenceAcceleratorAssociationId"
        elastic_inference_accelerator_association_state "ElasticInferenceAcceleratorAssociationState"
        elastic_inference_accelerator_association_time "ElasticInferenceAcceleratorAssociationTime"
    }
    types::EnclaveOptions {
        enabled "Enabled"
    }
    types::GroupIdentifier {
        group_id "GroupId"
        group_name "GroupName"
    }
    types::HibernationOptions {
        configured "Configured"
    }
    types::IamInstanceProfile {
        arn "Arn"
        id "Id"
    }
    types::Image {
        architecture "Architecture"
        block_device_mappings "BlockDeviceMappings"
        boot_mode "BootMode"
        creation_date "CreationDate"
        deprecation_time "DeprecationTime"
        deregistration_protection "DeregistrationProtection"
        description "Description"
        ena_support "EnaSupport"
        free_tier_eligible "FreeTierEligible"
        hypervisor "Hypervisor"
        image_allowed "ImageAllowed"
        image_id "ImageId"
        image_location "ImageLocation"
        image_owner_alias "ImageOwnerAlias"
        image_type "ImageType"
        image_watermarks "ImageWatermarks"
        imds_support "ImdsSupport"
        instance_type_specification "InstanceTypeSpecification"
        kernel_id "KernelId"
        last_launched_time "LastLaunchedTime"
        name "Name"
        owner_id "OwnerId"
        platform "Platform"
        platform_details "PlatformDetails"
        product_codes "ProductCodes"
        public "Public"
        public_ssm_parameter_name "PublicSsmParameterName"
        ramdisk_id "RamdiskId"
        root_device_name "RootDeviceName"
        root_device_type "RootDeviceType"
        scan_results "ScanResults"
        source_image_id "SourceImageId"
        source_image_region "SourceImageRegion"
        source_instance_id "SourceInstanceId"
        sriov_net_support "SriovNetSupport"
        state "State"
        state_reason "StateReason"
        tags "Tags"
        tpm_support "TpmSupport"
        usage_operation "UsageOperation"
        virtualization_type "VirtualizationType"
    }
    types::ImageWatermark {
        source_image_creation_time "SourceImageCreationTime"
        source_image_id "SourceImageId"
        source_image_region "SourceImageRegion"
        watermark_creation_time "WatermarkCreationTime"
        watermark_key "WatermarkKey"
    }
    types::Instance {
        ami_launch_index "AmiLaunchIndex"
        architecture "Architecture"
        block_device_mappings "BlockDeviceMappings"
        boot_mode "BootMode"
        capacity_block_id "CapacityBlockId"
        capacity_reservation_id "CapacityReservationId"
        capacity_reservation_specification "CapacityReservationSpecification"
        client_token "ClientToken"
        cpu_options "CpuOptions"
        current_instance_boot_mode "CurrentInstanceBootMode"
        ebs_optimized "EbsOptimized"
        elastic_gpu_associations "ElasticGpuAssociations"
        elastic_inference_accelerator_associations "ElasticInferenceAcceleratorAssociations"
        ena_support "EnaSupport"
        enclave_options "EnclaveOptions"
        hibernation_options "HibernationOptions"
        hypervisor "Hypervisor"
        iam_instance_profile "IamInstanceProfile"
        image_id "ImageId"
        instance_id "InstanceId"
        instance_lifecycle "InstanceLifecycle"
        instance_type "InstanceType"
        ipv6_address "Ipv6Address"
        kernel_id "KernelId"
        key_name "KeyName"
        launch_time "LaunchTime"
        licenses "Licenses"
        maintenance_options "MaintenanceOptions"
        metadata_options "MetadataOptions"
        monitoring "Monitoring"
        network_interfaces "NetworkInterfaces"
        network_performance_options "NetworkPerformanceOptions"
        operator "Operator"
        outpost_arn "OutpostArn"
        placement "Placement"
        platform "Platform"
        platform_details "PlatformDetails"
        private_dns_name "PrivateDnsName"
        private_dns_name_options "PrivateDnsNameOptions"
        private_ip_address "PrivateIpAddress"
        product_codes "ProductCodes"
        public_dns_name "PublicDnsName"
        public_ip_address "PublicIpAddress"
        ramdisk_id "RamdiskId"
        root_device_name "RootDeviceName"
        root_device_type "RootDeviceType"
        secondary_interfaces "SecondaryInterfaces"
        security_groups "SecurityGroups"
        source_dest_check "SourceDestCheck"
        spot_instance_request_id "SpotInstanceRequestId"
        sriov_net_support "SriovNetSupport"
        state "State"
        state_reason "StateReason"
        state_transition_reason "StateTransitionReason"
        subnet_id "SubnetId"
        tags "Tags"
        tpm_support "TpmSupport"
        usage_operation "UsageOperation"
        usage_operation_update_time "UsageOperationUpdateTime"
        virtualization_type "VirtualizationType"
        vpc_id "VpcId"
    }
    types::InstanceAttachmentEnaSrdSpecification {
        ena_srd_enabled "EnaSrdEnabled"
        ena_srd_udp_specification "EnaSrdUdpSpecification"
    }
    types::InstanceAttachmentEnaSrdUdpSpecification {
        ena_srd_udp_enabled "EnaSrdUdpEnabled"
    }
    types::InstanceBlockDeviceMapping {
        device_name "DeviceName"
        ebs "Ebs"
    }
    types::InstanceIpv4Prefix {
        ipv4_prefix "Ipv4Prefix"
    }
    types::InstanceIpv6Address {
        ipv6_address "Ipv6Address"
        is_primary_ipv6 "IsPrimaryIpv6"
    }
    types::InstanceIpv6Prefix {
        ipv6_prefix "Ipv6Prefix"
    }
    types::InstanceMaintenanceOptions {
        auto_recovery "AutoRecovery"
        reboot_migration "RebootMigration"
    }
    types::InstanceMetadataOptionsResponse {
        http_endpoint "HttpEndpoint"
        http_protocol_ipv6 "HttpProtocolIpv6"
        http_put_response_hop_limit "HttpPutResponseHopLimit"
        http_tokens "HttpTokens"
        instance_metadata_tags "InstanceMetadataTags"
        state "State"
    }
    types::InstanceNetworkInterface {
        association "Association"
        attachment "Attachment"
        connection_tracking_configuration "ConnectionTrackingConfiguration"
        description "Description"
        groups "Groups"
        interface_type "InterfaceType"
        ipv4_prefixes "Ipv4Prefixes"
        ipv6_addresses "Ipv6Addresses"
        ipv6_prefixes "Ipv6Prefixes"
        mac_address "MacAddress"
        network_interface_id "NetworkInterfaceId"
        operator "Operator"
        owner_id "OwnerId"
        private_dns_name "PrivateDnsName"
        private_ip_address "PrivateIpAddress"
        private_ip_addresses "PrivateIpAddresses"
        source_dest_check "SourceDestCheck"
        status "Status"
        subnet_id "SubnetId"
        vpc_id "VpcId"
    }
    types::InstanceNetworkInterfaceAssociation {
        carrier_ip "CarrierIp"
        customer_owned_ip "CustomerOwnedIp"
        ip_owner_id "IpOwnerId"
        public_dns_name "PublicDnsName"
        public_ip "PublicIp"
    }
    types::InstanceNetworkInterfaceAttachment {
        attach_time "AttachTime"
        attachment_id "AttachmentId"
        delete_on_termination "DeleteOnTermination"
        device_index "DeviceIndex"
        ena_queue_count "EnaQueueCount"
        ena_srd_specification "EnaSrdSpecification"
        network_card_index "NetworkCardIndex"
        status "Status"
    }
    types::InstanceNetworkPerformanceOptions {
        bandwidth_weighting "BandwidthWeighting"
    }
    types::InstancePrivateIpAddress {
        association "Association"
        primary "Primary"
        private_dns_name "PrivateDnsName"
        private_ip_address "PrivateIpAddress"
    }
    types::InstanceSecondaryInterface {
        attachment "Attachment"
        interface_type "InterfaceType"
        mac_address "MacAddress"
        owner_id "OwnerId"
        private_ip_addresses "PrivateIpAddresses"
        secondary_interface_id "SecondaryInterfaceId"
        secondary_network_id "SecondaryNetworkId"
        secondary_subnet_id "SecondarySubnetId"
        source_dest_check "SourceDestCheck"
        status "Status"
    }
    types::InstanceSecondaryInterfaceAttachment {
        attach_time "AttachTime"
        attachment_id "AttachmentId"
        delete_on_termination "DeleteOnTermination"
        device_index "DeviceIndex"
        network_card_index "NetworkCardIndex"
        status "Status"
    }
    types::InstanceSecondaryInterfacePrivateIpAddress {
        private_ip_address "PrivateIpAddress"
    }
    types::InstanceState {
        code "Code"
        name "Name"
    }
    types::InstanceTypeItem {
        instance_type "InstanceType"
    }
    types::InstanceTypeSpecification {
        supported_instance_types "SupportedInstanceTypes"
        unsupported_instance_types "UnsupportedInstanceTypes"
    }
    types::IpPermission {
        from_port "FromPort"
        ip_protocol "IpProtocol"
        ip_ranges "IpRanges"
        ipv6_ranges "Ipv6Ranges"
        prefix_list_ids "PrefixListIds"
        to_port "ToPort"
        user_id_group_pairs "UserIdGroupPairs"
    }
    types::IpRange {
        cidr_ip "CidrIp"
        description "Description"
    }
    types::Ipv4PrefixSpecification {
        ipv4_prefix "Ipv4Prefix"
    }
    types::Ipv6PrefixSpecification {
        ipv6_prefix "Ipv6Prefix"
    }
    types::Ipv6Range {
        cidr_ipv6 "CidrIpv6"
        description "Description"
    }
    types::LicenseConfiguration {
        license_configuration_arn "LicenseConfigurationArn"
    }
    types::Monitoring {
        state "State"
    }
    types::NatGateway {
        attached_appliances "AttachedAppliances"
        auto_provision_zones "AutoProvisionZones"
        auto_scaling_ips "AutoScalingIps"
        availability_mode "AvailabilityMode"
        connectivity_type "ConnectivityType"
        create_time "CreateTime"
        delete_time "DeleteTime"
        failure_code "FailureCode"
        failure_message "FailureMessage"
        nat_gateway_addresses "NatGatewayAddresses"
        nat_gateway_id "NatGatewayId"
        provisioned_bandwidth "ProvisionedBandwidth"
        route_table_id "RouteTableId"
        state "State"
        subnet_id "SubnetId"
        tags "Tags"
        vpc_id "VpcId"
    }
    types::NatGatewayAddress {
        allocation_id "AllocationId"
        association_id "AssociationId"
        availability_zone "AvailabilityZone"
        availability_zone_id "AvailabilityZoneId"
        failure_message "FailureMessage"
        is_primary "IsPrimary"
        network_interface_id "NetworkInterfaceId"
        private_ip "PrivateIp"
        public_ip "PublicIp"
        status "Status"
    }
    types::NatGatewayAttachedAppliance {
        appliance_arn "ApplianceArn"
        attachment_state "AttachmentState"
        failure_code "FailureCode"
        failure_message "FailureMessage"
        modification_state "ModificationState"
        r#type "Type"
        vpc_endpoint_id "VpcEndpointId"
    }
    types::NetworkInterface {
        associated_subnets "AssociatedSubnets"
        association "Association"
        attachment "Attachment"
        availability_zone "AvailabilityZone"
        availability_zone_id "AvailabilityZoneId"
        connection_tracking_configuration "ConnectionTrackingConfiguration"
        deny_all_igw_traffic "DenyAllIgwTraffic"
        description "Description"
        groups "Groups"
        interface_type "InterfaceType"
        ipv4_prefixes "Ipv4Prefixes"
        ipv6_address "Ipv6Address"
        ipv6_addresses "Ipv6Addresses"
        ipv6_native "Ipv6Native"
        ipv6_prefixes "Ipv6Prefixes"
        mac_address "MacAddress"
        network_interface_id "NetworkInterfaceId"
        operator "Operator"
        outpost_arn "OutpostArn"
        owner_id "OwnerId"
        private_dns_name "PrivateDnsName"
        private_ip_address "PrivateIpAddress"
        private_ip_addresses "PrivateIpAddresses"
        public_dns_name "PublicDnsName"
        public_ip_dns_name_options "PublicIpDnsNameOptions"
        requester_id "RequesterId"
        requester_managed "RequesterManaged"
        source_dest_check "SourceDestCheck"
        status "Status"
        subnet_id "SubnetId"
        tag_set "TagSet"
        vpc_id "VpcId"
    }
    types::NetworkInterfaceAssociation {
        allocation_id "AllocationId"
        association_id "AssociationId"
        carrier_ip "CarrierIp"
        customer_owned_ip "CustomerOwnedIp"
        ip_owner_id "IpOwnerId"
        public_dns_name "PublicDnsName"
        public_ip "PublicIp"
    }
    types::NetworkInterfaceAttachment {
        attach_time "AttachTime"
        attachment_id "AttachmentId"
        delete_on_termination "DeleteOnTermination"
        device_index "DeviceIndex"
        ena_queue_count "EnaQueueCount"
        ena_srd_specification "EnaSrdSpecification"
        instance_id "InstanceId"
        instance_owner_id "InstanceOwnerId"
        network_card_index "NetworkCardIndex"
        status "Status"
    }
    types::NetworkInterfaceIpv6Address {
        ipv6_address "Ipv6Address"
        is_primary_ipv6 "IsPrimaryIpv6"
        public_ipv6_dns_name "PublicIpv6DnsName"
    }
    types::NetworkInterfacePrivateIpAddress {
        association "Association"
        primary "Primary"
        private_dns_name "PrivateDnsName"
        private_ip_address "PrivateIpAddress"
    }
    types::OperatorResponse {
        hidden_by_default "HiddenByDefault"
        managed "Managed"
        principal "Principal"
    }
    types::Placement {
        affinity "Affinity"
        availability_zone "AvailabilityZone"
        availability_zone_id "AvailabilityZoneId"
        group_id "GroupId"
        group_name "GroupName"
        host_id "HostId"
        host_resource_group_arn "HostResourceGroupArn"
        partition_number "PartitionNumber"
        spread_domain "SpreadDomain"
        tenancy "Tenancy"
    }
    types::PrefixListId {
        description "Description"
        prefix_list_id "PrefixListId"
    }
    types::PrivateDnsNameOptionsOnLaunch {
        enable_resource_name_dns_aaaa_record "EnableResourceNameDnsAAAARecord"
        enable_resource_name_dns_a_record "EnableResourceNameDnsARecord"
        hostname_type "HostnameType"
    }
    types::PrivateDnsNameOptionsResponse {
        enable_resource_name_dns_aaaa_record "EnableResourceNameDnsAAAARecord"
        enable_resource_name_dns_a_record "EnableResourceNameDnsARecord"
        hostname_type "HostnameType"
    }
    types::ProductCode {
        product_code_id "ProductCodeId"
        product_code_type "ProductCodeType"
    }
    types::ProvisionedBandwidth {
        provision_time "ProvisionTime"
        provisioned "Provisioned"
        request_time "RequestTime"
        requested "Requested"
        status "Status"
    }
    types::PublicIpDnsNameOptions {
        dns_hostname_type "DnsHostnameType"
        public_dual_stack_dns_name "PublicDualStackDnsName"
        public_ipv4_dns_name "PublicIpv4DnsName"
        public_ipv6_dns_name "PublicIpv6DnsName"
    }
    types::Reservation {
        groups "Groups"
        owner_id "OwnerId"
        requester_id "RequesterId"
        reservation_id "ReservationId"
    }
    types::ScanResults {
        critical_fix_available_since "CriticalFixAvailableSince"
        finding_scan_date "FindingScanDate"
        high_fix_available_since "HighFixAvailableSince"
        highest_finding_severity_label "HighestFindingSeverityLabel"
        informational_fix_available_since "InformationalFixAvailableSince"
        low_fix_available_since "LowFixAvailableSince"
        medium_fix_available_since "MediumFixAvailableSince"
    }
    types::SecurityGroup {
        description "Description"
        group_id "GroupId"
        group_name "GroupName"
        ip_permissions "IpPermissions"
        ip_permissions_egress "IpPermissionsEgress"
        owner_id "OwnerId"
        security_group_arn "SecurityGroupArn"
        tags "Tags"
        vpc_id "VpcId"
    }
    types::Snapshot {
        availability_zone "AvailabilityZone"
        completion_duration_minutes "CompletionDurationMinutes"
        completion_time "CompletionTime"
        data_encryption_key_id "DataEncryptionKeyId"
        description "Description"
        encrypted "Encrypted"
        full_snapshot_size_in_bytes "FullSnapshotSizeInBytes"
        kms_key_id "KmsKeyId"
        outpost_arn "OutpostArn"
        owner_alias "OwnerAlias"
        owner_id "OwnerId"
        progress "Progress"
        restore_expiry_time "RestoreExpiryTime"
        snapshot_id "SnapshotId"
        sse_type "SseType"
        start_time "StartTime"
        state "State"
        state_message "StateMessage"
        storage_tier "StorageTier"
        tags "Tags"
        transfer_type "TransferType"
        volume_id "VolumeId"
        volume_size "VolumeSize"
    }
    types::StateReason {
        code "Code"
        message "Message"
    }
    types::Subnet {
        assign_ipv6_address_on_creation "AssignIpv6AddressOnCreation"
        availability_zone "AvailabilityZone"
        availability_zone_id "AvailabilityZoneId"
        available_ip_address_count "AvailableIpAddressCount"
        block_public_access_states "BlockPublicAccessStates"
        cidr_block "CidrBlock"
        customer_owned_ipv4_pool "CustomerOwnedIpv4Pool"
        default_for_az "DefaultForAz"
        enable_dns64 "EnableDns64"
        enable_lni_at_device_index "EnableLniAtDeviceIndex"
        ipv6_cidr_block_association_set "Ipv6CidrBlockAssociationSet"
        ipv6_native "Ipv6Native"
        map_customer_owned_ip_on_launch "MapCustomerOwnedIpOnLaunch"
        map_public_ip_on_launch "MapPublicIpOnLaunch"
        outpost_arn "OutpostArn"
        owner_id "OwnerId"
        private_dns_name_options_on_launch "PrivateDnsNameOptionsOnLaunch"
        state "State"
        subnet_arn "SubnetArn"
        subnet_id "SubnetId"
        tags "Tags"
        r#type "Type"
        vpc_id "VpcId"
    }
    types::SubnetCidrBlockState {
        state "State"
        status_message "StatusMessage"
    }
    types::SubnetIpv6CidrBlockAssociation {
        association_id "AssociationId"
        ip_source "IpSource"
        ipv6_address_attribute "Ipv6AddressAttribute"
        ipv6_cidr_block "Ipv6CidrBlock"
        ipv6_cidr_block_state "Ipv6CidrBlockState"
    }
    types::Tag {
        key "Key"
        value "Value"
    }
    types::UserIdGroupPair {
        description "Description"
        group_id "GroupId"
        group_name "GroupName"
        peering_status "PeeringStatus"
        user_id "UserId"
        vpc_id "VpcId"
        vpc_peering_connection_id "VpcPeeringConnectionId"
    }
    types::Volume {
        attachments "Attachments"
        availability_zone "AvailabilityZone"
        availability_zone_id "AvailabilityZoneId"
        create_time "CreateTime"
        encrypted "Encrypted"
        fast_restored "FastRestored"
        iops "Iops"
        kms_key_id "KmsKeyId"
        multi_attach_enabled "MultiAttachEnabled"
        operator "Operator"
        outpost_arn "OutpostArn"
        owner_id "OwnerId"
        size "Size"
        snapshot_id "SnapshotId"
        source_volume_id "SourceVolumeId"
        sse_type "SseType"
        state "State"
        tags "Tags"
        throughput "Throughput"
        volume_arn "VolumeArn"
        volume_id "VolumeId"
        volume_initialization_rate "VolumeInitializationRate"
        volume_type "VolumeType"
    }
    types::VolumeAttachment {
        associated_resource "AssociatedResource"
        attach_time "AttachTime"
        delete_on_termination "DeleteOnTermination"
        device "Device"
        ebs_card_index "EbsCardIndex"
        instance_id "InstanceId"
        instance_owning_service "InstanceOwningService"
        state "State"
        volume_id "VolumeId"
    }
    types::Vpc {
        block_public_access_states "BlockPublicAccessStates"
        cidr_block "CidrBlock"
        cidr_block_association_set "CidrBlockAssociationSet"
        dhcp_options_id "DhcpOptionsId"
        encryption_control "EncryptionControl"
        instance_tenancy "InstanceTenancy"
        ipv6_cidr_block_association_set "Ipv6CidrBlockAssociationSet"
        is_default "IsDefault"
        owner_id "OwnerId"
        state "State"
        tags "Tags"
        vpc_id "VpcId"
    }
    types::VpcCidrBlockAssociation {
        association_id "AssociationId"
        cidr_block "CidrBlock"
        cidr_block_state "CidrBlockState"
    }
    types::VpcCidrBlockState {
        state "State"
        status_message "StatusMessage"
    }
    types::VpcEncryptionControl {
        mode "Mode"
        resource_exclusions "ResourceExclusions"
        state "State"
        state_message "StateMessage"
        tags "Tags"
        vpc_encryption_control_id "VpcEncryptionControlId"
        vpc_id "VpcId"
    }
    types::VpcEncryptionControlExclusion {
        state "State"
        state_message "StateMessage"
    }
    types::VpcEncryptionControlExclusions {
        egress_only_internet_gateway "EgressOnlyInternetGateway"
        elastic_file_system "ElasticFileSystem"
        internet_gateway "InternetGateway"
        lambda "Lambda"
        nat_gateway "NatGateway"
        virtual_private_gateway "VirtualPrivateGateway"
        vpc_lattice "VpcLattice"
        vpc_peering "VpcPeering"
    }
    types::VpcIpv6CidrBlockAssociation {
        association_id "AssociationId"
        ip_source "IpSource"
        ipv6_address_attribute "Ipv6AddressAttribute"
        ipv6_cidr_block "Ipv6CidrBlock"
        ipv6_cidr_block_state "Ipv6CidrBlockState"
        ipv6_pool "Ipv6Pool"
        network_border_group "NetworkBorderGroup"
    }
}

enums! {
    types::AmdSevSnpSpecification
    types::ArchitectureValues
    types::AttachmentStatus
    types::AutoProvisionZonesState
    types::AutoScalingIpsState
    types::AvailabilityMode
    types::BlockPublicAccessMode
    types::BootModeValues
    types::CapacityReservationPreference
    types::ConnectivityType
    types::DeviceType
    types::DomainType
    types::HostnameType
    types::HttpTokensState
    types::HypervisorType
    types::ImageState
    types::ImageTypeValues
    types::ImdsSupportValues
    types::InstanceAutoRecoveryState
    types::InstanceBandwidthWeighting
    types::InstanceBootModeValues
    types::InstanceLifecycleType
    types::InstanceMetadataEndpointState
    types::InstanceMetadataOptionsState
    types::InstanceMetadataProtocolState
    types::InstanceMetadataTagsState
    types::InstanceRebootMigrationState
    types::InstanceStateName
    types::InstanceType
    types::IpSource
    types::Ipv6AddressAttribute
    types::MonitoringState
    types::NatGatewayAddressStatus
    types::NatGatewayApplianceModifyState
    types::NatGatewayApplianceState
    types::NatGatewayApplianceType
    types::NatGatewayState
    types::NestedVirtualizationSpecification
    types::NetworkInterfaceStatus
    types::NetworkInterfaceType
    types::PlatformValues
    types::ProductCodeValues
    types::SecondaryInterfaceStatus
    types::SecondaryInterfaceType
    types::ServiceManaged
    types::SeverityLabel
    types::SnapshotState
    types::SseType
    types::StorageTier
    types::SubnetCidrBlockStateCode
    types::SubnetState
    types::Tenancy
    types::TpmSupportValues
    types::TransferType
    types::VirtualizationType
    types::VolumeAttachmentState
    types::VolumeState
    types::VolumeType
    types::VpcCidrBlockStateCode
    types::VpcEncryptionControlExclusionState
    types::VpcEncryptionControlMode
    types::VpcEncryptionControlState
    types::VpcState
}
