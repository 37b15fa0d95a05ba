// What a program with JDBC does at a database; prints what came of it, a line each.
//   java -cp postgresql.jar Client.java URL     the token in TOKEN

import java.io.StringReader;
import java.io.StringWriter;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.Properties;
import org.postgresql.PGConnection;
import org.postgresql.copy.CopyManager;
import org.postgresql.util.PSQLException;

public class Client {
    static void say(String name, Object value) {
        System.out.println(name + "=" + String.valueOf(value).replace("\n", "|"));
    }

    static void refused(String name, Connection connection, String sql) {
        try (Statement statement = connection.createStatement()) {
            statement.execute(sql);
            say(name, "it ran");
        } catch (SQLException error) {
            var said = ((PSQLException) error).getServerErrorMessage();
            say(name + ".state", error.getSQLState());
            say(name + ".message", said.getMessage());
            say(name + ".detail", said.getDetail());
            say(name + ".hint", said.getHint());
        }
    }

    public static void main(String[] arguments) throws Exception {
        var properties = new Properties();
        properties.setProperty("password", System.getenv("TOKEN"));
        try (Connection connection = DriverManager.getConnection(arguments[0], properties)) {
            try (Statement statement = connection.createStatement();
                    ResultSet found = statement.executeQuery("SELECT name FROM people ORDER BY id")) {
                found.next();
                say("simple", found.getString(1));
            }
            // From the fifth time on, the driver names what it prepares, and takes binary results.
            String sql = "SELECT id, name, born FROM people WHERE id = ?";
            try (PreparedStatement prepared = connection.prepareStatement(sql)) {
                for (int round = 0; round < 8; round++) {
                    prepared.setInt(1, 2);
                    try (ResultSet found = prepared.executeQuery()) {
                        found.next();
                        say("prepared", found.getInt(1) + " " + found.getString(2) + " " + found.getDate(3));
                    }
                }
            }
            CopyManager copies = connection.unwrap(PGConnection.class).getCopyAPI();
            say("copied", copies.copyIn("COPY notes FROM STDIN", new StringReader("one\ntwo\n")));
            var out = new StringWriter();
            copies.copyOut("COPY notes TO STDOUT", out);
            say("notes", out);
            connection.setAutoCommit(false);
            try (Statement statement = connection.createStatement()) {
                statement.setFetchSize(100); // portals that are fetched from again and again
                int rows = 0;
                try (ResultSet found = statement.executeQuery("SELECT * FROM generate_series(1, 1050)")) {
                    while (found.next()) rows++;
                }
                say("fetched", rows);
            }
            connection.rollback();
            try (PreparedStatement batch = connection.prepareStatement("INSERT INTO notes VALUES (?)")) {
                for (String note : new String[] {"three", "four", "five"}) {
                    batch.setString(1, note);
                    batch.addBatch();
                }
                say("batch", batch.executeBatch().length);
            }
            connection.commit();
            connection.setAutoCommit(true);
            refused("denied", connection, "DROP TABLE people");
            try (Statement statement = connection.createStatement()) {
                statement.setQueryTimeout(1); // by a cancel
                statement.execute("SELECT pg_sleep(60)");
                say("cancelled", "it ran");
            } catch (SQLException error) {
                say("cancelled", error.getSQLState());
            }
            refused("held", connection, "TRUNCATE people");
            try (Statement statement = connection.createStatement();
                    ResultSet found = statement.executeQuery("SELECT count(*) FROM notes")) {
                found.next();
                say("after", found.getInt(1));
            }
        }
    }
}
