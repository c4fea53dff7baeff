/* This is a generated file, edit the .stub.php file instead.
 * Stub hash: 32fbe7f9ccacaf37508453587bf4e9573d98da03 */

ZEND_BEGIN_ARG_WITH_RETURN_TYPE_INFO_EX(arginfo_Supervisor_handle_request, 0, 1, _IS_BOOL, 0)
	ZEND_ARG_TYPE_INFO(0, callback, IS_CALLABLE, 0)
ZEND_END_ARG_INFO()

#define arginfo_frankenphp_handle_request arginfo_Supervisor_handle_request


ZEND_FUNCTION(handle_request);


static const zend_function_entry ext_functions[] = {
	ZEND_NS_FE("Supervisor", handle_request, arginfo_Supervisor_handle_request)
	ZEND_FALIAS(frankenphp_handle_request, handle_request, arginfo_frankenphp_handle_request)
	ZEND_FE_END
};
