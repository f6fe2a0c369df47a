# SyncProgress::Catalog
#	All that an extension is in a database's catalogs, as lines of text, so that
#	two ways to the same version can be compared.
#
package SyncProgress::Catalog;

use strict;
use warnings;

use Exporter 'import';

our @EXPORT = qw(catalog_of);

# Rights, in an order of their own: who has what, and may grant it.
sub acl
{
	my ($acl) = @_;
	return "(SELECT string_agg(r, ',' ORDER BY r) FROM (SELECT concat_ws(' ', coalesce(nullif(a.grantee, 0)::regrole::text, 'PUBLIC'), a.privilege_type, a.is_grantable) FROM aclexplode($acl) AS a) AS rights (r))";
}

my $members = q{
	SELECT d.classid, d.objid FROM pg_depend AS d JOIN pg_extension AS e ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid
	WHERE e.extname = 'sync_progress' AND d.deptype = 'e'};
my $relations = q{(SELECT c.* FROM pg_class AS c WHERE EXISTS (SELECT FROM members AS m WHERE m.classid = 'pg_class'::regclass AND m.objid = c.oid))};

my @parts = (
	[ extension => q{SELECT concat_ws('|', e.extname, e.extversion, e.extowner::regrole, e.extnamespace::regnamespace, e.extrelocatable, obj_description(e.oid, 'pg_extension')) FROM pg_extension AS e WHERE extname = 'sync_progress'} ],
	[ dumped => q{SELECT c::regclass || '|' || f FROM pg_extension, unnest(extconfig, extcondition) AS u (c, f) WHERE extname = 'sync_progress'} ],
	[ function => q{SELECT concat_ws('|', p.oid::regprocedure, p.proowner::regrole, p.procost, p.prorows, p.provolatile, p.proparallel, p.prosecdef, p.proleakproof, p.proisstrict, p.proretset,
			p.prosupport, p.probin, p.proconfig, pg_get_function_result(p.oid), obj_description(p.oid, 'pg_proc'), } . acl(q{coalesce(p.proacl, acldefault('f', p.proowner))}) . q{, pg_get_functiondef(p.oid))
		FROM pg_proc AS p JOIN members AS m ON m.classid = 'pg_proc'::regclass AND m.objid = p.oid} ],
	[ relation => qq{SELECT concat_ws('|', c.oid::regclass, c.relkind, c.relowner::regrole, c.relpersistence, c.relreplident, c.relrowsecurity, c.reloptions, c.reltoastrelid <> 0, obj_description(c.oid, 'pg_class'), } . acl(q{coalesce(c.relacl, acldefault(CASE c.relkind WHEN 'S' THEN 's' ELSE 'r' END::"char", c.relowner))}) . qq{)
		FROM $relations AS c} ],
	[ column => qq{SELECT concat_ws('|', c.oid::regclass, a.attnum, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity, a.attgenerated, a.attstorage, a.attstattarget, (SELECT array_agg(o) FROM unnest(a.attoptions) AS o WHERE o !~ '^pg_attver='),
			a.attisdropped, pg_get_expr(d.adbin, d.adrelid), col_description(c.oid, a.attnum), } . acl('a.attacl') . qq{)
		FROM $relations AS c JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 LEFT JOIN pg_attrdef AS d ON d.adrelid = c.oid AND d.adnum = a.attnum} ],
	[ view => qq{SELECT c.oid::regclass || '|' || pg_get_viewdef(c.oid) FROM $relations AS c WHERE relkind = 'v'} ],
	[ rule => qq{SELECT c.oid::regclass || '|' || pg_get_ruledef(r.oid) FROM $relations AS c JOIN pg_rewrite AS r ON r.ev_class = c.oid WHERE relkind <> 'v'} ],
	[ sequence => qq{SELECT s::text FROM $relations AS c JOIN LATERAL (SELECT c.oid::regclass, seqtypid::regtype, seqstart, seqincrement, seqmax, seqmin, seqcache, seqcycle FROM pg_sequence WHERE seqrelid = c.oid) AS s ON true} ],
	[ constraint => qq{SELECT concat_ws('|', c.oid::regclass, k.conname, k.contype, k.convalidated, k.condeferrable, k.condeferred, pg_get_constraintdef(k.oid), obj_description(k.oid, 'pg_constraint'))
		FROM $relations AS c JOIN pg_constraint AS k ON k.conrelid = c.oid} ],
	[ index => qq{SELECT concat_ws('|', pg_get_indexdef(i.indexrelid), i.indisvalid, i.indisready, i.indisreplident, x.reloptions, obj_description(i.indexrelid, 'pg_class'))
		FROM $relations AS c JOIN pg_index AS i ON i.indrelid = c.oid JOIN pg_class AS x ON x.oid = i.indexrelid} ],
	[ trigger => qq{SELECT concat_ws('|', c.oid::regclass, t.tgenabled, pg_get_triggerdef(t.oid), obj_description(t.oid, 'pg_trigger')) FROM $relations AS c JOIN pg_trigger AS t ON t.tgrelid = c.oid WHERE NOT t.tgisinternal} ],
	[ policy => qq{SELECT p::text FROM $relations AS c JOIN LATERAL (SELECT polname, polcmd, polpermissive, pg_get_expr(polqual, polrelid), pg_get_expr(polwithcheck, polrelid) FROM pg_policy WHERE polrelid = c.oid) AS p ON true} ],
	[ type => q{SELECT concat_ws('|', format_type(t.oid, NULL), t.typtype, t.typowner::regrole, obj_description(t.oid, 'pg_type')) FROM pg_type AS t JOIN members AS m ON m.classid = 'pg_type'::regclass AND m.objid = t.oid} ],
	[ dependency => q{SELECT DISTINCT concat_ws('|', pg_describe_object(d.classid, d.objid, d.objsubid), d.deptype, pg_describe_object(d.refclassid, d.refobjid, d.refobjsubid))
		FROM pg_depend AS d JOIN members AS m ON m.classid = d.classid AND m.objid = d.objid} ],
	[ 'first right' => q{SELECT concat_ws('|', pg_describe_object(i.classoid, i.objoid, i.objsubid), i.privtype, } . acl('i.initprivs') . q{) FROM pg_init_privs AS i JOIN members AS m ON m.classid = i.classoid AND m.objid = i.objoid} ],
	[ kind => q{SELECT k::text FROM sync.sync_kinds AS k} ],
);

# The lines, in an order of their own, with the bodies' line feeds shown.
sub catalog_of
{
	my ($node, $db) = @_;
	my $all = join "\nUNION ALL\n", map { "SELECT '$_->[0]: ' || replace(x, E'\\n', '\\n') FROM ($_->[1]) AS q (x)" } @parts;
	return [ split /\n/, $node->safe_psql($db, "SET search_path = pg_catalog; WITH members AS ($members) SELECT line COLLATE \"C\" FROM ($all) AS a (line) ORDER BY 1") ];
}

1;
