/* This is a generated file, edit the .stub.php file instead.
 * Stub hash: b39b739a0738e23598c49de9cb3832f4bf9bcdcb */

ZEND_BEGIN_ARG_WITH_RETURN_TYPE_INFO_EX(arginfo_Supervisor_handle_request, 0, 1, _IS_BOOL, 0)
	ZEND_ARG_TYPE_INFO(0, callback, IS_CALLABLE, 0)
ZEND_END_ARG_INFO()


ZEND_FUNCTION(handle_request);


static const zend_function_entry ext_functions[] = {
	ZEND_NS_FE("Supervisor", handle_request, arginfo_Supervisor_handle_request)
	ZEND_FE_END
};
