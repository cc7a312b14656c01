package day2.tags

deny[msg] {
    not input.tags.elava_managed
    msg = "Resource missing elava:managed tag"
}

deny[msg] {
    input.tags.elava_managed == true
    not input.tags.elava_owner
    msg = "Managed resource missing elava:owner tag"
}

warn[msg] {
    not input.tags.environment
    msg = "Resource missing environment tag"
}
