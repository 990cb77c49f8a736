import { create } from "@bufbuild/protobuf";
import type { TextMatch } from "@hedgerow/policy";
import { type StringMatcher, StringMatcherSchema } from "@hedgerow/proto/envoy/type/matcher/v3/string";

export function stringMatcher({ kind, value }: TextMatch): StringMatcher {
  switch (kind) {
    case "exact":
    case "prefix":
      return create(StringMatcherSchema, { matchPattern: { case: kind, value } });
    case "regex":
      return create(StringMatcherSchema, { matchPattern: { case: "safeRegex", value: { regex: value } } });
  }
}
