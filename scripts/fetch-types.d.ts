// The one name of the fetch API that Connect's declarations use and Node's leave out of the global scope.
type HeadersInit = import("undici-types").HeadersInit;
