//! Refuses answers that were cut off.
//!
//! The SDK's XML reader takes an answer that stops in the middle for a shorter one: resources and the
//! page token at its end would be missing, and a listing look complete that is not.

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::context::AfterDeserializationInterceptorContextRef;
use aws_smithy_runtime_api::client::interceptors::{Intercept, dyn_dispatch_hint};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;

/// Every answer of EC2 and RDS is one element, `<DescribeVpcsResponse>` and the like.
const END: &[u8] = b"Response>";

/// The last thing in an answer must be the end of its outermost element.
#[derive(Debug)]
pub(super) struct WholeAnswers;

#[dyn_dispatch_hint]
impl Intercept for WholeAnswers {
    fn name(&self) -> &'static str {
        "WholeAnswers"
    }

    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let response = context.response();
        let whole = response.body().bytes().is_none_or(|body| body.trim_ascii_end().ends_with(END));
        if whole || !response.status().is_success() { Ok(()) } else { Err("the answer was cut off".into()) }
    }
}
