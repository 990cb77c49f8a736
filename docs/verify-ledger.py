#!/usr/bin/env python3
"""Verifies an audit ledger of Hedgerow with nothing of Hedgerow's: docs/audit.md, "How it can be verified".

    verify-ledger.py LEDGER-DIR ROOT.pem [WITNESSED.jsonl]      (pip install cryptography)

ROOT.pem: the roots of the mesh. WITNESSED.jsonl: what the witness remembers, one {"ledger", "checkpoint", "witness"} a line;
have it before the ledger is read. Stops at the first record that is not as it was written, names it, and exits with 1.
"""
import base64, hashlib, json, pathlib, re, sys
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils

def sha(*parts): return hashlib.sha256(b"".join(parts)).digest()
def need(holds, problem):
    if not holds: raise ValueError(problem)

def merkle(leaves):  # RFC 6962, section 2.1
    if len(leaves) == 1: return leaves[0]
    split = 1 << (len(leaves) - 1).bit_length() - 1
    return sha(b"\x01", merkle(leaves[:split]), merkle(leaves[split:]))

def jws(compact, alg, typ):
    need(len(compact) <= 8192 and re.fullmatch(r"[\w-]+\.[\w-]+\.[\w-]+", compact, re.ASCII), "no compact JWS")
    decode = lambda part: base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
    head, body, signature = compact.split(".")
    header = json.loads(decode(head))
    need(header["alg"] == alg and header["typ"] == typ and "crit" not in header, f"no {typ}")
    return header, json.loads(decode(body)), f"{head}.{body}".encode(), decode(signature)

def check(stored, roots, whose):  # a checkpoint, its key's certificate, and its countersignature if it has one
    header, claims, signed, signature = jws(stored["checkpoint"], "EdDSA", "hedgerow-checkpoint+jwt")
    need(all(type(claims[key]) is int and claims[key] >= 0 for key in ("iat", "segment", "seq")) and type(claims.get("closed", False)) is bool, "its claims are malformed")
    need(isinstance(header["x5c"], list) and len(header["x5c"]) == 1, "it does not hold the one certificate of its key")
    certificate = x509.load_der_x509_certificate(base64.b64decode(header["x5c"][0]))
    next(root for root in roots.values() if root.subject == certificate.issuer and not certificate.verify_directly_issued_by(root))
    certificate.public_key().verify(signature, signed)
    extension = lambda kind: certificate.extensions.get_extension_for_class(kind).value
    names, node = extension(x509.SubjectAlternativeName), ".".join(reversed(whose["node"].split("/"))) + ".instance.hedgerow.internal"
    need([usage.dotted_string for usage in extension(x509.ExtendedKeyUsage)] == ["1.3.6.1.5.5.7.3.37"], "its key is for something else")
    need(names.get_values_for_type(x509.UniformResourceIdentifier) == [whose["spiffe"]], "its key is another workload's")
    need(node in names.get_values_for_type(x509.DNSName), "its key is another instance's")
    need((claims["ledger"], claims["node"], claims["iss"]) == (whose["ledger"], whose["node"], whose["spiffe"]), "it is another ledger's")
    when, name = claims["iat"], hashlib.sha256(stored["checkpoint"].encode()).hexdigest()
    if "witness" in stored:
        header, witness, signed, signature = jws(stored["witness"], "ES256", "hedgerow-witness+jwt")
        r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
        roots[header["kid"]].public_key().verify(utils.encode_dss_signature(r, s), signed, ec.ECDSA(hashes.SHA256()))
        need([witness[key] for key in ("ledger", "seq", "head", "checkpoint")] == [claims[key] for key in ("ledger", "seq", "head")] + [name], "its witness saw another")
        when = witness["iat"]
    begin, end = certificate.not_valid_before_utc.timestamp(), certificate.not_valid_after_utc.timestamp()
    need(begin - 300 <= when <= end + 300, "its certificate was not valid when it was signed")
    return claims, name

KNOWN = {"segment.opened": ("segment",), "segment.closed": ("segment", "records"), "segment.deleted": ("segment", "records")}
def readable(payload, due):  # a record about a segment
    try:
        record = json.loads(payload)
        if all(type(record[key]) is int for key in KNOWN[record["type"]]) and "enc" not in record: return record
    except Exception: pass
    raise ValueError(f"record {due}: can't be read")

def claimed_seq(stored):
    try: return json.loads(base64.urlsafe_b64decode(stored["checkpoint"].split(".")[1] + "=="))["seq"]
    except Exception: return None  # named by its place in the file

def verify(directory, roots, remembered):
    whose = json.loads((directory / "ledger.json").read_text())
    file = directory / "checkpoints.jsonl"
    stored = [json.loads(line) for line in (file.read_text().split("\n")[:-1] if file.exists() else [])]
    wanted = {claimed_seq(one) for one in stored + remembered}
    head, due, heads, gaps, deleted = sha(b"hedgerow-ledger/1\n", whose["ledger"].encode()), 0, {}, [], {}
    number, ending, ends, rest = -1, None, {}, b""
    for path in sorted((path for path in directory.iterdir() if re.fullmatch(r"[0-9]{8,}\.jsonl", path.name)), key=lambda path: int(path.stem)):
        if not path.exists(): continue  # deleted meanwhile
        need(path.is_file(), f"{path.name} is no file")
        need(not rest, f"record {due}: what stands before it is none")
        before, number, leaves, ending = number, int(path.stem), [], None
        need(path.name == f"{number:08}.jsonl", f"record {due}: {path.name} is no segment")
        *lines, rest = path.read_bytes().split(b"\n")  # what follows the last line feed is not written whole yet
        for line in lines:
            payload, first = line[65:], not leaves
            begun = re.match(rb'\{"seq":(0|[1-9][0-9]{0,15})[,}]', payload)
            record = readable(payload, due) if b'"type":"segment.' in payload[:96] else {}
            if first and begun:
                names = ["segment.opened", number, *(whose[key] for key in ("ledger", "node", "spiffe", "policy"))]
                need([record.get(key) for key in ("type", "segment", "ledger", "node", "spiffe", "policy")] == names, f"record {due}: {path.name} is another's")
                if number != before + 1:  # a segment is not there: its deletion is to be recorded further on
                    gaps.append((before + 1, number, due, int(begun[1]), record["previous"]))
                    head, due = bytes.fromhex(record["previous"]), int(begun[1])
            leaf = sha(b"\x00", payload)
            head = sha(b"\x02", head, leaf)
            need(not begun or int(begun[1]) == due or line[:64] != head.hex().encode(), f"record {due}: has another number")
            need(not ending, f"record {due}: follows the end of its segment")
            need(line[:65] == head.hex().encode() + b" ", f"record {due}: " + (f"record {int(begun[1])} stands in its place" if begun and int(begun[1]) != due else "does not fit its head"))
            need(begun, f"record {due}: can't be read")
            if record.get("type") == "segment.closed":
                ending = record
                need((record["records"], record["root"]) == (len(leaves), merkle(leaves).hex()), f"record {due}: has not the Merkle root of its segment")
                ends[number] = (len(leaves), head.hex())
            if record.get("type") == "segment.deleted":
                need(ends.get(record["segment"], (record["records"], record["head"])) == (record["records"], record["head"]), f"record {due}: says that a segment was deleted, but not as it was")
                deleted[record["segment"]] = record
            if due in wanted: heads[due] = head.hex()
            leaves.append(leaf)
            due += 1
    need(len(rest) <= 64 << 20, f"record {due}: what stands in its place is none")
    for start, end, first, after, previous in gaps:  # the oldest go first: what says so of the first of them may be gone, too
        known = next((segment + 1 for segment in range(end - 1, start - 1, -1) if segment not in deleted), start)
        need(known < end and (known == start or start == 0), f"record {first}: its segment is missing, and no record says that it was deleted")
        count = sum(deleted[segment]["records"] + 1 for segment in range(known, end))
        need(first + count == after if known == start else count < after, f"record {after}: does not continue the segments that were deleted")
        need(deleted[end - 1]["head"] == previous, f"record {after}: does not continue the segments that were deleted")
    good, last, seen = -1, None, set()
    for index, one in enumerate(stored + remembered):
        try: claims, name = check(one, roots, whose)
        except Exception as problem: raise ValueError(f"checkpoint {index}, of record {claimed_seq(one)}: {problem or type(problem).__name__}")
        need(index >= len(stored) or claims.get("previous") == last, f"checkpoint {index}, of record {claims['seq']}: the one before it is missing")
        need(index == 0 or index >= len(stored) or claims["seq"] >= good, f"checkpoint {index}, of record {claims['seq']}: the one before it is of record {good}")
        need(claims["seq"] < due, f"record {due}: is missing at the end, a checkpoint was signed of record {claims['seq']}")
        need(heads.get(claims["seq"], claims["head"]) == claims["head"], f"record {good + 1} or one after it, to record {claims['seq']}: the chain was written anew")
        need(not claims.get("closed") or claims["seq"] == due - 1, f"record {claims['seq'] + 1}: follows the end")
        need("witnessed" not in claims or claims["witnessed"] in seen, f"checkpoint {index}, of record {claims['seq']}: one that was countersigned before it is missing")
        need(index < len(stored) or name in seen, f"a checkpoint of record {claims['seq']}, which the witness has, is missing")
        good, last = max(good, claims["seq"]), name
        seen.add(name)
    return due, good

if __name__ == "__main__":
    if len(sys.argv) not in (3, 4): sys.exit(__doc__.strip())
    if not (pathlib.Path(sys.argv[1]) / "ledger.json").is_file(): sys.exit(f"{sys.argv[1]} is no ledger: it has no ledger.json")
    certificates = x509.load_pem_x509_certificates(pathlib.Path(sys.argv[2]).read_bytes())
    witnessed = [json.loads(line) for line in pathlib.Path(sys.argv[3]).read_text().splitlines()] if len(sys.argv) > 3 else []
    try:
        own = json.loads((pathlib.Path(sys.argv[1]) / "ledger.json").read_text())["ledger"]
        records, covered = verify(pathlib.Path(sys.argv[1]), {root.fingerprint(hashes.SHA256()).hex(): root for root in certificates}, [one for one in witnessed if one["ledger"] == own])
    except Exception as problem: sys.exit(str(problem) if isinstance(problem, ValueError) else f"can't be read: {problem!r}")
    print(f"{records} records, as they were written; checkpoints cover them to record {covered}")
