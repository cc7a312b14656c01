//! Every field of the rds types that resources are made of.
//!
//! Generated from the SDK's source: `UPDATE_EXPECT=1 cargo test --test observer generated`.

use aws_sdk_rds::types;

use crate::aws::json::{Attributes, ToJson, Value, enums, put, structs};

structs! {
    types::AdditionalStorageVolume {
        allocated_storage "AllocatedStorage"
        iops "IOPS"
        max_allocated_storage "MaxAllocatedStorage"
        storage_throughput "StorageThroughput"
        storage_type "StorageType"
        volume_name "VolumeName"
    }
    types::AdditionalStorageVolumeOutput {
        allocated_storage "AllocatedStorage"
        iops "IOPS"
        max_allocated_storage "MaxAllocatedStorage"
        storage_operation_percent_progress "StorageOperationPercentProgress"
        storage_operation_status "StorageOperationStatus"
        storage_throughput "StorageThroughput"
        storage_type "StorageType"
        storage_volume_status "StorageVolumeStatus"
        volume_name "VolumeName"
    }
    types::AvailabilityZone {
        name "Name"
    }
    types::CertificateDetails {
        ca_identifier "CAIdentifier"
        valid_till "ValidTill"
    }
    types::ClusterPendingModifiedValues {
        allocated_storage "AllocatedStorage"
        backup_retention_period "BackupRetentionPeriod"
        certificate_details "CertificateDetails"
        db_cluster_identifier "DBClusterIdentifier"
        engine_version "EngineVersion"
        iam_database_authentication_enabled "IAMDatabaseAuthenticationEnabled"
        iops "Iops"
        master_user_password "MasterUserPassword"
        pending_cloudwatch_logs_exports "PendingCloudwatchLogsExports"
        rds_custom_cluster_configuration "RdsCustomClusterConfiguration"
        storage_type "StorageType"
    }
    types::DbCluster {
        activity_stream_kinesis_stream_name "ActivityStreamKinesisStreamName"
        activity_stream_kms_key_id "ActivityStreamKmsKeyId"
        activity_stream_mode "ActivityStreamMode"
        activity_stream_status "ActivityStreamStatus"
        allocated_storage "AllocatedStorage"
        associated_roles "AssociatedRoles"
        auto_minor_version_upgrade "AutoMinorVersionUpgrade"
        automatic_restart_time "AutomaticRestartTime"
        availability_zones "AvailabilityZones"
        aws_backup_recovery_point_arn "AwsBackupRecoveryPointArn"
        backtrack_consumed_change_records "BacktrackConsumedChangeRecords"
        backtrack_window "BacktrackWindow"
        backup_retention_period "BackupRetentionPeriod"
        capacity "Capacity"
        certificate_details "CertificateDetails"
        character_set_name "CharacterSetName"
        clone_group_id "CloneGroupId"
        cluster_create_time "ClusterCreateTime"
        cluster_scalability_type "ClusterScalabilityType"
        copy_tags_to_snapshot "CopyTagsToSnapshot"
        cross_account_clone "CrossAccountClone"
        custom_endpoints "CustomEndpoints"
        db_cluster_arn "DBClusterArn"
        db_cluster_identifier "DBClusterIdentifier"
        db_cluster_instance_class "DBClusterInstanceClass"
        db_cluster_members "DBClusterMembers"
        db_cluster_option_group_memberships "DBClusterOptionGroupMemberships"
        db_cluster_parameter_group "DBClusterParameterGroup"
        db_subnet_group "DBSubnetGroup"
        db_system_id "DBSystemId"
        database_insights_mode "DatabaseInsightsMode"
        database_name "DatabaseName"
        db_cluster_resource_id "DbClusterResourceId"
        deletion_protection "DeletionProtection"
        domain_memberships "DomainMemberships"
        earliest_backtrack_time "EarliestBacktrackTime"
        earliest_restorable_time "EarliestRestorableTime"
        enabled_cloudwatch_logs_exports "EnabledCloudwatchLogsExports"
        endpoint "Endpoint"
        engine "Engine"
        engine_lifecycle_support "EngineLifecycleSupport"
        engine_mode "EngineMode"
        engine_version "EngineVersion"
        global_cluster_identifier "GlobalClusterIdentifier"
        global_write_forwarding_requested "GlobalWriteForwardingRequested"
        global_write_forwarding_status "GlobalWriteForwardingStatus"
        hosted_zone_id "HostedZoneId"
        http_endpoint_enabled "HttpEndpointEnabled"
        iam_database_authentication_enabled "IAMDatabaseAuthenticationEnabled"
        io_optimized_next_allowed_modification_time "IOOptimizedNextAllowedModificationTime"
        internet_access_gateway_enabled "InternetAccessGatewayEnabled"
        iops "Iops"
        kms_key_id "KmsKeyId"
        latest_restorable_time "LatestRestorableTime"
        limitless_database "LimitlessDatabase"
        local_write_forwarding_status "LocalWriteForwardingStatus"
        master_user_secret "MasterUserSecret"
        master_username "MasterUsername"
        monitoring_interval "MonitoringInterval"
        monitoring_role_arn "MonitoringRoleArn"
        multi_az "MultiAZ"
        network_type "NetworkType"
        pending_modified_values "PendingModifiedValues"
        percent_progress "PercentProgress"
        performance_insights_enabled "PerformanceInsightsEnabled"
        performance_insights_kms_key_id "PerformanceInsightsKMSKeyId"
        performance_insights_retention_period "PerformanceInsightsRetentionPeriod"
        port "Port"
        preferred_backup_window "PreferredBackupWindow"
        preferred_maintenance_window "PreferredMaintenanceWindow"
        publicly_accessible "PubliclyAccessible"
        rds_custom_cluster_configuration "RdsCustomClusterConfiguration"
        read_replica_identifiers "ReadReplicaIdentifiers"
        reader_endpoint "ReaderEndpoint"
        replication_source_identifier "ReplicationSourceIdentifier"
        scaling_configuration_info "ScalingConfigurationInfo"
        serverless_v2_platform_version "ServerlessV2PlatformVersion"
        serverless_v2_scaling_configuration "ServerlessV2ScalingConfiguration"
        status "Status"
        status_infos "StatusInfos"
        storage_encrypted "StorageEncrypted"
        storage_encryption_type "StorageEncryptionType"
        storage_throughput "StorageThroughput"
        storage_type "StorageType"
        tag_list "TagList"
        upgrade_rollout_order "UpgradeRolloutOrder"
        vpc_networking_enabled "VPCNetworkingEnabled"
        vpc_security_groups "VpcSecurityGroups"
    }
    types::DbClusterMember {
        db_cluster_parameter_group_status "DBClusterParameterGroupStatus"
        db_instance_identifier "DBInstanceIdentifier"
        is_cluster_writer "IsClusterWriter"
        promotion_tier "PromotionTier"
    }
    types::DbClusterOptionGroupStatus {
        db_cluster_option_group_name "DBClusterOptionGroupName"
        status "Status"
    }
    types::DbClusterRole {
        feature_name "FeatureName"
        role_arn "RoleArn"
        status "Status"
    }
    types::DbClusterStatusInfo {
        message "Message"
        normal "Normal"
        status "Status"
        status_type "StatusType"
    }
    types::DbInstance {
        activity_stream_engine_native_audit_fields_included "ActivityStreamEngineNativeAuditFieldsIncluded"
        activity_stream_kinesis_stream_name "ActivityStreamKinesisStreamName"
        activity_stream_kms_key_id "ActivityStreamKmsKeyId"
        activity_stream_mode "ActivityStreamMode"
        activity_stream_policy_status "ActivityStreamPolicyStatus"
        activity_stream_status "ActivityStreamStatus"
        additional_storage_volumes "AdditionalStorageVolumes"
        allocated_storage "AllocatedStorage"
        associated_roles "AssociatedRoles"
        auto_minor_version_upgrade "AutoMinorVersionUpgrade"
        automatic_restart_time "AutomaticRestartTime"
        automation_mode "AutomationMode"
        availability_zone "AvailabilityZone"
        aws_backup_recovery_point_arn "AwsBackupRecoveryPointArn"
        backup_retention_period "BackupRetentionPeriod"
        backup_target "BackupTarget"
        ca_certificate_identifier "CACertificateIdentifier"
        certificate_details "CertificateDetails"
        character_set_name "CharacterSetName"
        copy_tags_to_snapshot "CopyTagsToSnapshot"
        custom_iam_instance_profile "CustomIamInstanceProfile"
        customer_owned_ip_enabled "CustomerOwnedIpEnabled"
        db_capacity_reservation_identifier "DBCapacityReservationIdentifier"
        db_cluster_identifier "DBClusterIdentifier"
        db_instance_arn "DBInstanceArn"
        db_instance_automated_backups_replications "DBInstanceAutomatedBackupsReplications"
        db_instance_class "DBInstanceClass"
        db_instance_identifier "DBInstanceIdentifier"
        db_instance_status "DBInstanceStatus"
        db_name "DBName"
        db_parameter_groups "DBParameterGroups"
        db_security_groups "DBSecurityGroups"
        db_subnet_group "DBSubnetGroup"
        db_system_id "DBSystemId"
        database_insights_mode "DatabaseInsightsMode"
        db_instance_port "DbInstancePort"
        dbi_resource_id "DbiResourceId"
        dedicated_log_volume "DedicatedLogVolume"
        deletion_protection "DeletionProtection"
        domain_memberships "DomainMemberships"
        enabled_cloudwatch_logs_exports "EnabledCloudwatchLogsExports"
        endpoint "Endpoint"
        engine "Engine"
        engine_lifecycle_support "EngineLifecycleSupport"
        engine_version "EngineVersion"
        enhanced_monitoring_resource_arn "EnhancedMonitoringResourceArn"
        iam_database_authentication_enabled "IAMDatabaseAuthenticationEnabled"
        instance_create_time "InstanceCreateTime"
        iops "Iops"
        is_storage_config_upgrade_available "IsStorageConfigUpgradeAvailable"
        kms_key_id "KmsKeyId"
        latest_restorable_time "LatestRestorableTime"
        license_model "LicenseModel"
        listener_endpoint "ListenerEndpoint"
        master_user_secret "MasterUserSecret"
        master_username "MasterUsername"
        max_allocated_storage "MaxAllocatedStorage"
        monitoring_interval "MonitoringInterval"
        monitoring_role_arn "MonitoringRoleArn"
        multi_az "MultiAZ"
        multi_tenant "MultiTenant"
        nchar_character_set_name "NcharCharacterSetName"
        network_type "NetworkType"
        option_group_memberships "OptionGroupMemberships"
        pending_modified_values "PendingModifiedValues"
        percent_progress "PercentProgress"
        performance_insights_enabled "PerformanceInsightsEnabled"
        performance_insights_kms_key_id "PerformanceInsightsKMSKeyId"
        performance_insights_retention_period "PerformanceInsightsRetentionPeriod"
        preferred_backup_window "PreferredBackupWindow"
        preferred_maintenance_window "PreferredMaintenanceWindow"
        processor_features "ProcessorFeatures"
        promotion_tier "PromotionTier"
        publicly_accessible "PubliclyAccessible"
        read_replica_db_cluster_identifiers "ReadReplicaDBClusterIdentifiers"
        read_replica_db_instance_identifiers "ReadReplicaDBInstanceIdentifiers"
        read_replica_source_db_cluster_identifier "ReadReplicaSourceDBClusterIdentifier"
        read_replica_source_db_instance_identifier "ReadReplicaSourceDBInstanceIdentifier"
        replica_mode "ReplicaMode"
        resume_full_automation_mode_time "ResumeFullAutomationModeTime"
        secondary_availability_zone "SecondaryAvailabilityZone"
        status_infos "StatusInfos"
        storage_encrypted "StorageEncrypted"
        storage_encryption_type "StorageEncryptionType"
        storage_operation_percent_progress "StorageOperationPercentProgress"
        storage_operation_status "StorageOperationStatus"
        storage_throughput "StorageThroughput"
        storage_type "StorageType"
        storage_volume_status "StorageVolumeStatus"
        tag_list "TagList"
        tde_credential_arn "TdeCredentialArn"
        timezone "Timezone"
        upgrade_rollout_order "UpgradeRolloutOrder"
        vpc_security_groups "VpcSecurityGroups"
    }
    types::DbInstanceAutomatedBackupsReplication {
        db_instance_automated_backups_arn "DBInstanceAutomatedBackupsArn"
    }
    types::DbInstanceRole {
        feature_name "FeatureName"
        role_arn "RoleArn"
        status "Status"
    }
    types::DbInstanceStatusInfo {
        message "Message"
        normal "Normal"
        status "Status"
        status_type "StatusType"
    }
    types::DbParameterGroupStatus {
        db_parameter_group_name "DBParameterGroupName"
        parameter_apply_status "ParameterApplyStatus"
    }
    types::DbSecurityGroupMembership {
        db_security_group_name "DBSecurityGroupName"
        status "Status"
    }
    types::DbSnapshot {
        additional_storage_volumes "AdditionalStorageVolumes"
        allocated_storage "AllocatedStorage"
        availability_zone "AvailabilityZone"
        backup_retention_period "BackupRetentionPeriod"
        db_instance_identifier "DBInstanceIdentifier"
        db_snapshot_arn "DBSnapshotArn"
        db_snapshot_identifier "DBSnapshotIdentifier"
        db_system_id "DBSystemId"
        dbi_resource_id "DbiResourceId"
        dedicated_log_volume "DedicatedLogVolume"
        encrypted "Encrypted"
        engine "Engine"
        engine_version "EngineVersion"
        full_snapshot_size_in_bytes "FullSnapshotSizeInBytes"
        iam_database_authentication_enabled "IAMDatabaseAuthenticationEnabled"
        instance_create_time "InstanceCreateTime"
        iops "Iops"
        kms_key_id "KmsKeyId"
        license_model "LicenseModel"
        master_username "MasterUsername"
        multi_tenant "MultiTenant"
        option_group_name "OptionGroupName"
        original_snapshot_create_time "OriginalSnapshotCreateTime"
        percent_progress "PercentProgress"
        port "Port"
        preferred_backup_window "PreferredBackupWindow"
        processor_features "ProcessorFeatures"
        snapshot_availability_zone "SnapshotAvailabilityZone"
        snapshot_create_time "SnapshotCreateTime"
        snapshot_database_time "SnapshotDatabaseTime"
        snapshot_target "SnapshotTarget"
        snapshot_type "SnapshotType"
        source_db_snapshot_identifier "SourceDBSnapshotIdentifier"
        source_region "SourceRegion"
        status "Status"
        storage_encryption_type "StorageEncryptionType"
        storage_throughput "StorageThroughput"
        storage_type "StorageType"
        tag_list "TagList"
        tde_credential_arn "TdeCredentialArn"
        timezone "Timezone"
        vpc_id "VpcId"
    }
    types::DbSubnetGroup {
        db_subnet_group_arn "DBSubnetGroupArn"
        db_subnet_group_description "DBSubnetGroupDescription"
        db_subnet_group_name "DBSubnetGroupName"
        subnet_group_status "SubnetGroupStatus"
        subnets "Subnets"
        supported_network_types "SupportedNetworkTypes"
        vpc_id "VpcId"
    }
    types::DomainMembership {
        auth_secret_arn "AuthSecretArn"
        dns_ips "DnsIps"
        domain "Domain"
        fqdn "FQDN"
        iam_role_name "IAMRoleName"
        ou "OU"
        status "Status"
    }
    types::Endpoint {
        address "Address"
        hosted_zone_id "HostedZoneId"
        port "Port"
    }
    types::LimitlessDatabase {
        min_required_acu "MinRequiredACU"
        status "Status"
    }
    types::MasterUserSecret {
        kms_key_id "KmsKeyId"
        secret_arn "SecretArn"
        secret_status "SecretStatus"
    }
    types::OptionGroupMembership {
        option_group_name "OptionGroupName"
        status "Status"
    }
    types::Outpost {
        arn "Arn"
    }
    types::PendingCloudwatchLogsExports {
        log_types_to_disable "LogTypesToDisable"
        log_types_to_enable "LogTypesToEnable"
    }
    types::PendingModifiedValues {
        additional_storage_volumes "AdditionalStorageVolumes"
        allocated_storage "AllocatedStorage"
        automation_mode "AutomationMode"
        backup_retention_period "BackupRetentionPeriod"
        ca_certificate_identifier "CACertificateIdentifier"
        db_capacity_reservation_identifier "DBCapacityReservationIdentifier"
        db_instance_class "DBInstanceClass"
        db_instance_identifier "DBInstanceIdentifier"
        db_subnet_group_name "DBSubnetGroupName"
        dedicated_log_volume "DedicatedLogVolume"
        engine "Engine"
        engine_version "EngineVersion"
        iam_database_authentication_enabled "IAMDatabaseAuthenticationEnabled"
        iops "Iops"
        license_model "LicenseModel"
        master_user_password "MasterUserPassword"
        multi_az "MultiAZ"
        multi_tenant "MultiTenant"
        pending_cloudwatch_logs_exports "PendingCloudwatchLogsExports"
        port "Port"
        processor_features "ProcessorFeatures"
        resume_full_automation_mode_time "ResumeFullAutomationModeTime"
        storage_throughput "StorageThroughput"
        storage_type "StorageType"
    }
    types::ProcessorFeature {
        name "Name"
        value "Value"
    }
    types::RdsCustomClusterConfiguration {
        interconnect_subnet_id "InterconnectSubnetId"
        replica_mode "ReplicaMode"
        transit_gateway_multicast_domain_id "TransitGatewayMulticastDomainId"
    }
    types::ScalingConfigurationInfo {
        auto_pause "AutoPause"
        max_capacity "MaxCapacity"
        min_capacity "MinCapacity"
        seconds_before_timeout "SecondsBeforeTimeout"
        seconds_until_auto_pause "SecondsUntilAutoPause"
        timeout_action "TimeoutAction"
    }
    types::ServerlessV2ScalingConfigurationInfo {
        max_capacity "MaxCapacity"
        min_capacity "MinCapacity"
        seconds_until_auto_pause "SecondsUntilAutoPause"
    }
    types::Subnet {
        subnet_availability_zone "SubnetAvailabilityZone"
        subnet_identifier "SubnetIdentifier"
        subnet_outpost "SubnetOutpost"
        subnet_status "SubnetStatus"
    }
    types::Tag {
        key "Key"
        value "Value"
    }
    types::VpcSecurityGroupMembership {
        status "Status"
        vpc_security_group_id "VpcSecurityGroupId"
    }
}

enums! {
    types::ActivityStreamMode
    types::ActivityStreamPolicyStatus
    types::ActivityStreamStatus
    types::AutomationMode
    types::ClusterScalabilityType
    types::DatabaseInsightsMode
    types::LimitlessDatabaseStatus
    types::LocalWriteForwardingStatus
    types::ReplicaMode
    types::StorageEncryptionType
    types::UpgradeRolloutOrder
    types::WriteForwardingStatus
}
