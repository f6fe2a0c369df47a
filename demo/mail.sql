-- An application that knows nothing of progress: messages that came from
-- somewhere, and a table that they are to be synced into.

CREATE SCHEMA mail;

CREATE TABLE mail.messages (
	id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	raw text NOT NULL
);

CREATE TABLE mail.synced (
	message_id bigint PRIMARY KEY REFERENCES mail.messages,
	sender text NOT NULL,
	subject text,
	detected text,
	synced_at timestamptz NOT NULL DEFAULT now()
);

-- A header's value, its continuation lines included; the body is not searched.
CREATE FUNCTION mail.header(raw text, name text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN regexp_replace(
	substring(split_part(raw, E'\n\n', 1) FROM '(?in)^' || name || ':[ \t]*(.*(?:\n[ \t].*)*)'),
	'\s+', ' ', 'g');

-- What is read from a message, mail or package record alike.  A sender without
-- an address is malformed: an error, which the job counts.
CREATE FUNCTION mail.parse(raw text, OUT sender text, OUT subject text, OUT detected text)
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
	sender := lower(substring(coalesce(mail.header(raw, 'From'), mail.header(raw, 'Maintainer'))
		FROM '[^\s<>@"]+@[^\s<>@",]+'));
	IF sender IS NULL THEN
		RAISE EXCEPTION 'no sender' USING ERRCODE = 'ML001';
	END IF;
	subject := coalesce(mail.header(raw, 'Subject'),
		mail.header(raw, 'Package') || ' ' || mail.header(raw, 'Version'));
	-- worth reporting: a package's home page, an amount of money in a mail
	detected := coalesce(mail.header(raw, 'Homepage'),
		substring(raw FROM '(?:[$€£₡]|USD|EUR|CRC)\s?[0-9][0-9.,]*[0-9]'));
END
$$;

-- Whose account a message belongs to: a package's section, a sender's domain.
CREATE FUNCTION mail.account(raw text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN coalesce(mail.header(raw, 'Section'),
	lower(substring(mail.header(raw, 'From') FROM '@([^\s<>@",]+)')),
	'unknown');
