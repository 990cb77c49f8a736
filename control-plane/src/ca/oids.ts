// RFC 5280 (extensions), RFC 5480 (elliptic curves), RFC 5758 (ECDSA signatures).
export const EC_PUBLIC_KEY = "1.2.840.10045.2.1";
export const PRIME256V1 = "1.2.840.10045.3.1.7";
export const ECDSA_WITH_SHA256 = "1.2.840.10045.4.3.2";
export const COMMON_NAME = "2.5.4.3";
export const SUBJECT_KEY_IDENTIFIER = "2.5.29.14";
export const KEY_USAGE = "2.5.29.15";
export const SUBJECT_ALT_NAME = "2.5.29.17";
export const BASIC_CONSTRAINTS = "2.5.29.19";
export const AUTHORITY_KEY_IDENTIFIER = "2.5.29.35";
export const EXT_KEY_USAGE = "2.5.29.37";
export const SERVER_AUTH = "1.3.6.1.5.5.7.3.1";
export const CLIENT_AUTH = "1.3.6.1.5.5.7.3.2";
/** RFC 9509: signs claims of JWTs, and is nobody at either end of TLS. */
export const JWT_SIGNING = "1.3.6.1.5.5.7.3.37";
