create table runs (id integer primary key, name text, score real);
insert into runs (name, score) values ('first', 0.25), ('second', 0.75);
